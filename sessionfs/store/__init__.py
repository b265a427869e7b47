"""The store: sessions, artifacts and state on top of objects, logs and refs.

``layout``     where things are
``config``     config.toml
``fold``       what a session's records add up to
``snapshot``   the fold at one place, as an object
``session``    an open session: the one way in which anything changes
``artifacts``  the verbs that change artifacts
``values``     the verbs that change state
``xattrs``     extended attributes as readings of what an artifact says about itself (pure)
``store``      the whole
``synced``     since when what was written may not be on stable storage
``suspicion``  what a power cut has left: found, and taken away
``covering``   what a promise about a record includes of what others wrote
``aside``      where what is taken away is kept
``deleted``    where the logs of deleted sessions are
"""
