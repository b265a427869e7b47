"""The mount: a store as a filesystem, by pyfuse3 and trio.

``options``        what a mount may be told, in the words of mount(8)
``daemon``         starting the process that serves a mount; ``log_file`` its log
``mountpoint``     where one can be mounted, and claiming it
``table``          what is mounted on this machine; ``ask`` what a mount says of itself
``unmount``        ending that process; ``users`` who keeps it from ending
``serve``          that process: from mounting to the last version stored
``shown``          owners and permissions as they are shown, where they are shown otherwise
``stats``          counting requests
``loop``           reading requests without a turn of the event loop for each
``operations``     the FUSE handlers: decode, ask one inode, answer
``acting``         on whose behalf changes are recorded
``hooks``          asking and telling hooks without keeping the loop
``view``           the whole that is mounted
``inodes``         numbers, look-up counts, attributes; what an inode can be asked
``handles``        open files; what one can be asked
``namespace``      the virtual directories: sessions, by-*, objects
``overview``       which sessions have which name, tag, status, date
``session_files``  what a session's directory holds
``mounted``        a session as the mount has it
``artifacts``      the live tree: what all its inodes share, and links
``directories``    the live tree: directories
``files``          the live tree: files, staged until they become versions
``file_handles``   the live tree: open files
``session_xattrs`` extended attributes of sessions (those of artifacts are in :mod:`sessionfs.store.xattrs`)
``changes``        what other processes do, and telling the kernel

How they hang together: the kernel asks ``operations``, which finds an inode by its number, lets it read what other
processes appended (0.5 us when there is nothing), and calls one method. An inode of the tree stands for one node of the
session's fold and changes it only through the session's verbs, so that mount, API and command line do the same thing.
Everything runs on one thread, and what must happen together has no ``await`` in it; hashing, copying and syncing of
what is large happens in workers.

The kernel may believe what it was told for an hour, because it is told of every change: of ours by its own request, of
other processes' by ``changes``.
"""
