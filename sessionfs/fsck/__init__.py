"""fsck: every object, log and reference of a store, checked against everything else.

``objects``   bytes against their names
``sessions``  logs against their chains, records against the objects they name, snapshots against the fold
``check``     all of it, one fault at a time
"""

from sessionfs.fsck.check import check
from sessionfs.fsck.fault import Fault

__all__ = ["Fault", "check"]
