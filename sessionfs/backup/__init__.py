"""Copies of stores and sessions, in other directories and on other machines.

A copy of a whole store, and sessions brought from one store to another:

``copies``   backups, restoring them whole, clones
``whole``    a whole store into another one, in the order in which it was written
``sessions`` some sessions from one store into another: fetch, push, restoring them from a backup
``remote``   a backup on another machine, and a clone of a store there, by rsync
``target``   where a copy goes
``logs``     how two copies of a log stand to each other, and letting one catch up
``objects``  the objects of a copy, and the barrier behind them; ``files``: refs and what else there is
``lease``    nobody takes objects away meanwhile
``aside``    a session that has to make room
``done``     what it came to

Sessions in one file, and as ordinary files:

``bundle_create``    ``bundle_check`` ``bundle_unpack``: making, checking and taking in what has ``bundle_format``
``export``           a moment of a session, to ``export_directory`` or ``export_tar``, as ``export_members``, with what
                     ``export_sidecar`` says; ``export_file``: a file that appears when it is whole
``import_session``   a session of what ``import_directory`` or ``import_tar`` finds (``import_members``), as the records
                     that ``import_items`` makes of it; ``import_stream``: whatever gives bytes

Every copy is made in the order in which stores are written: objects before the records that name them. So it is whole
at every moment, and whatever interrupts it, doing it again goes on from there.
"""
