"""The mount beside plain files and other filesystems: its speed, how it scales, how many bytes it writes.

``rows``           the table of what is measured; the one place to add a row
``names``          rows on names and metadata
``content``        rows on bytes: reading, writing, mmap, fsync
``tools``          rows that run real programs
``databases``      rows that use SQLite
``work``           what one row gets: an empty directory, and files it shares with other rows
``filesystems``    who is compared, and how each is mounted
``serving``        mounting with a process of our own, and ending it whatever happens
``caches``         making the kernel's caches cold, and waiting until everything is quiet
``processes``      what /proc says about a filesystem's process
``table``          the measuring: every filesystem does a row, then the next row; several rounds
``verdict``        ratios, means and bars
``scale``          ``--scale``: many files, memory, descriptors, an idle mount
``amplification``  ``--amplification``: bytes on the disk for the bytes that were written
``report``         what is printed
``run``            the command line
"""
