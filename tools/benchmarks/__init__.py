"""What tools/bench measures, and how.

``measure``      rounds, medians, rows and bars: the one place with a clock
``scratch``      where it is written
``material``     the content that is stored
``api``          the table of DESIGN section 11: each row beside its raw system calls; ``hooks`` what hooks add
``looking_back`` opening moments of a long session; ``returning`` going back, forks
``watching``     how late watchers are; collecting
``bulk``         many small files, beside git and SQLite
``mount``        the mount: its rows, those it is compared with, its command line
``program``      the installed sessionfs
``output``       tables and JSON
``interrupts``   ending early without leaving anything behind
``commandline``  what the command lines have in common
``run``          the command line of the API
"""
