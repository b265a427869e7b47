"""The store: sessions, artifacts and state on top of objects, logs and refs.

``layout``     where things are
``config``     config.toml
``fold``       what a session's records add up to
``snapshot``   the fold at one place, as an object
``session``    an open session: the one way in which anything changes
``artifacts``  the verbs that change artifacts
``values``     the verbs that change state
``store``      the whole
"""
