"""What a store keeps, and for how long; how what is not needed goes, and how it comes back until then.

``gc``        objects that nothing needs: to the trash, and in the end deleted
``marking``   which are needed
``alone``     one gc or repack at a time
``trash``     what lies in the trash: looked at, taken back, deleted
``repack``    many small objects into few large files; ``shelve``: archived sessions

Rules, and what they ask for:

``policy``    which hold for a session: its own, its tags', the store's (pure)
``plan``      what they ask for now, with reasons; doing it
``prune``     a session gives old versions up: ``history`` is all it ever stored, ``keeping`` says what stays (pure)
``pins``      what is kept whatever they say
"""
