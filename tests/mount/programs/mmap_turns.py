"""Two of these take turns through shared memory: each waits for the other's number and writes the next.

mmap_turns.py FILE 0|1 TURNS
"""

import json
import mmap
import sys
import time

path, who, turns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
deadline = time.monotonic() + 50
with open(path, "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)  # the descriptor is closed, the memory stays
for turn in range(who, turns, 2):
    while int.from_bytes(memory[0:8], "little") != turn:
        if time.monotonic() > deadline:
            sys.exit(f"{who}: turn {turn} never came, it is {int.from_bytes(memory[0:8], 'little')}")
    # The page of the turn's own number has to be as visible as the first one.
    assert turn == 0 or memory[8192 + turn - 1] == (turn - 1) % 256
    memory[8192 + turn] = turn % 256
    if turn % 50 == 0:
        memory.flush()
    if turn == turns - 1:
        text = json.dumps({"turns": turns}).encode()
        memory[4096 : 4096 + len(text)] = text
        memory[8192 : 8192 + turns] = bytes(turns)
    memory[0:8] = (turn + 1).to_bytes(8, "little")
memory.flush()
memory.close()
