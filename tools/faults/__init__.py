"""Faults, injected into the real code again and again, and what was lost by them: nothing.

``run``              the command line, and the table
``outcome``          what one kind of fault came to
``work``             what writers do, and what must be there afterwards
``commands``         the command line, as a process
``mounting``         a mount, as a process
``simulated``        power cuts and failing calls, on a disk in memory
``traced``           SIGKILL at the n-th system call of a command
``killed_programs``  SIGKILL of writers at random moments
``killed_commands``  SIGKILL of gc, repack, repair and their like at random moments
``killed_mounts``    SIGKILL of a mount while ``cp -a`` writes to it
``blocks``           power cuts of a block device with a real filesystem on it
``copied``           rsync while writers are at work
``together``         many processes at once
``device``           images, loop devices, mounts
``recorder``         a block device that remembers every write and every flush

Each kind has a negative control: the same with something left out, which must be noticed. Otherwise it has proved
nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# What the tests do and check is done and checked here, too.
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "crash")]
