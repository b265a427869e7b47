"""Collecting what happens in a working directory into a session, and running commands there.

``collector``   the loop: what happens, until it is recorded
``patterns``    which files
``tree``        where one may look; ``looking`` at one file
``source``      where changes come from: ``told`` by the kernel, or ``polled``
``mirror``      what is where, in the directory and in the session
``matching``    comparing the mirror with what is there
``plan``        the steps that make the session as the directory is
``storing``     carrying them out
``bursts``      one burst, one operation
``remembered``  what the session's log says of it; ``rejoining`` takes up from there
``claim``       one collector for one directory
``running``     a command with a session; ``passing`` on what it writes

The directory says what is so, the session's log what has been taken from it; the difference is taken. What the kernel
tells only says where to look, and what was renamed.
"""

from sessionfs.collect.bursts import Timing
from sessionfs.collect.collector import CollectingThread, Collector
from sessionfs.collect.running import Shown, run
from sessionfs.collect.storing import Change

__all__ = ["Change", "CollectingThread", "Collector", "Shown", "Timing", "run"]
