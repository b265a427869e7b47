"""``tools/bench find``: the index beside plain ``sqlite3`` on the same table.

``large_store``  a store of any size in seconds
``rows``         what is measured
``run``          the command line
"""
