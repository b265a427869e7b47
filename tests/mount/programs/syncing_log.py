"""Appends lines to a log, syncs each, and prints its number once it is synced: syncing_log.py FILE COUNT"""

import os
import sys

fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
for number in range(int(sys.argv[2])):
    line = f"{number} {'x' * (number % 500)}\n".encode()
    os.write(fd, line[:7])
    os.write(fd, line[7:])
    os.fsync(fd)
    print(number, flush=True)
os.close(fd)
