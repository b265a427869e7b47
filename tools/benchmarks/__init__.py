"""What tools/bench measures, and how.

``measure``   rounds, medians, rows and bars: the one place with a clock
``scratch``   where it is written
``material``  the content that is stored
``api``       the table of DESIGN section 11: each row beside its raw system calls
``bulk``      many small files, beside git and SQLite
``mount``     ordinary tools in the mount, beside plain files
``output``    tables and JSON
``run``       the command line
"""
