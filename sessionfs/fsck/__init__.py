"""fsck: every object, log and reference of a store, checked against everything else.

``check``     all of it, one fault at a time
``objects``   bytes against their names, ``parallel`` in several processes
``sessions``  logs against their chains, records against the objects they name, snapshots against the fold
``found``     what is known of the objects meanwhile: which are damaged, and what needs them
``leftovers`` what lies in ``tmp/``
``repair``    what is done about it: ``mended`` objects, ``logs``, ``refs``; ``bits`` turned back
``recover``   what was written to a mount that was killed
"""

from sessionfs.fsck.check import check
from sessionfs.fsck.fault import Fault, Use
from sessionfs.fsck.parallel import usable_processors
from sessionfs.fsck.recover import Recovered, recover
from sessionfs.fsck.repair import Repaired, repair

__all__ = ["Fault", "Recovered", "Repaired", "Use", "check", "recover", "repair", "usable_processors"]
