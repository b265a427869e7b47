"""Content of any length is stored in little memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sessionfs.store.store import Store

SCRIPT = """
import io, json, random, sys
from pathlib import Path
from sessionfs.store.store import Store

PIECE = 1 << 20
TEXT = (b"some words that shrink, %d " * 50_000)[:PIECE]
NOISE = random.Random(1).randbytes(PIECE)

class Stream(io.RawIOBase):
    def __init__(self, kind, count):
        self.kind, self.left, self.number = kind, count, 0

    def read(self, size=-1):
        if not self.left:
            return b""
        self.left -= 1
        self.number += 1
        piece = {"text": TEXT, "noise": NOISE, "noise, then text": TEXT if self.left < 8 else NOISE}[self.kind]
        return self.number.to_bytes(8, "big") + piece[8:]

def peak():  # KiB, of this program alone: ru_maxrss is not less than that of the process that started it
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1])

objects = Store(sys.argv[1]).objects
kind, way, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
objects.put_stream(Stream(kind, 9))  # everything is loaded
before = peak()
if way == "stream":
    stored = objects.put_stream(Stream(kind, count))
else:
    staged = objects.stage()
    stream = Stream(kind, count)
    while piece := stream.read():
        staged.append(piece)
    stored = staged.finish()
    staged.discard()
with open("/dev/null", "wb") as sink:
    assert objects.copy_out(stored.oid, sink) == stored.size
print(json.dumps({"grown": (peak() - before) // 1024, "size": stored.size, "compression": stored.compression}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "way"),
    [("text", "stream"), ("noise", "stream"), ("noise, then text", "stream"), ("text", "staged")],
)
def test_three_hundred_megabytes_are_stored_and_read_in_less_than_a_hundred(tmp_path, kind, way):
    Store.create(str(tmp_path / "s"))
    printed = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "s", kind, way, "300"], check=True, capture_output=True, text=True
    ).stdout
    found = json.loads(printed)
    assert found["size"] == 300 << 20
    # What begins with that much noise keeps its form: it is not copied for its end.
    assert found["compression"] == ("lz4" if kind == "text" else "none")
    assert found["grown"] < 100
