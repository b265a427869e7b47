"""A browser in the terminal, with textual: sessions on the left, what is in them on the right.

``app``        the program: its screens, threads and signals
``main``       the main screen; ``panes`` what is listed on it, ``listing`` a table with a filter
``about``      what a session says about itself
``preview``    what is seen of a row
``table``      a table that reads the rows it shows, and no others
``rows``       where rows come from: sessions, artifacts, state, events, versions, trash
``columns``    which columns fit, and how wide they are
``lines``      a text, a picture or bytes to scroll in; ``content`` reads what it shows, ``picture`` decodes images
``page``       what every screen over the main one is
``latest``     reading in threads: of what is asked for one after the other, only the newest
``threads``    where it is read
``live``       what other processes append, as it happens
``commands``   everything that can be done, as the command line that does it; ``acts`` which of it a key means
``dialog``     asks what such a command needs, shows it, and runs it
``versions``   the versions of an artifact, and what differs between two
``trash``      what was deleted
``help``       all keys

It changes nothing itself: what it reads it reads through :mod:`sessionfs.api`, and what is done is done by a verb of
the command line, which whoever starts the browser runs for it, as it draws timelines.
"""
