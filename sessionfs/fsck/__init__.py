"""fsck: every object, log and reference of a store, checked against everything else.

``objects``   bytes against their names
``sessions``  logs against their chains, records against the objects they name, snapshots against the fold
``check``     all of it, one fault at a time
``recover``   what was written to a mount that was killed
"""

from sessionfs.fsck.check import check
from sessionfs.fsck.fault import Fault
from sessionfs.fsck.recover import Recovered, recover

__all__ = ["Fault", "Recovered", "check", "recover"]
