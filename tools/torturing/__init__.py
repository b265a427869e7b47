"""Random operations on a mount and on ext4 in step, and what may differ.

``calls``      system calls that Python has no function for
``verbs``      each operation, done on one side
``composite``  operations of many calls: scans of changing directories, holes, mmap
``worker``     a process in one side's root, which does operations and looks at what they did
``choose``     which operation comes next: a pure function of the seed and of what succeeded on ext4
``compare``    what two sides show, side by side
``accepted``   the differences that are accepted, with the reason for each
``sides``      the two filesystems: made, mounted, remounted, checked and removed
``machine``    the run: batches of operations through both workers, snapshots, remounts
``sequence``   operations in a file, one a line
``shrink``     fewer operations with the same difference
``run``        the command line
"""
