"""Faults, injected into the real code again and again, and what was lost by them: nothing.

``run``        the command line, and the table
``outcome``    what one kind of fault came to
``work``       what writers do, and what must be there afterwards
``simulated``  power cuts and failing calls, on a disk in memory
``traced``     SIGKILL at the n-th system call of a command
``killed``     SIGKILL at random moments: programs, commands, the mount
``blocks``     power cuts of a block device with a real filesystem on it
``copied``     rsync while writers are at work
``together``   many processes at once
``device``     images, loop devices, mounts
``recorder``   a block device that remembers every write and every flush

Each kind has a negative control: the same with something left out, which must be noticed. Otherwise it has proved
nothing.
"""
