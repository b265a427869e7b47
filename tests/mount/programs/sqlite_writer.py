"""Commits rows to a database, each in a transaction of its own, and prints each number once it is committed.

sqlite_writer.py DATABASE WHO JOURNAL-MODE MAPPED-BYTES COUNT
"""

import sqlite3
import sys

path, who, journal, mapped, count = sys.argv[1:]
database = sqlite3.connect(path, timeout=60, isolation_level=None)
database.execute(f"pragma mmap_size = {mapped}")
if journal != "wal":  # that one is in the file
    database.execute(f"pragma journal_mode = {journal}")
database.execute("pragma cache_size = 4")  # pages go to the file in the middle of a transaction
for n in range(int(count)):
    database.execute("begin immediate")
    database.execute("insert into t values (?, ?, zeroblob(?))", (who, n, 3000 + n))
    database.execute("update t set filler = zeroblob(length(filler)) where who = ?", (who,))
    database.execute("commit")
    print(n, flush=True)
