"""The index: what the logs of a store say, in one SQLite file, so that queries need not read them.

``schema``      its tables
``row``         one artifact as a row
``live``        the rows of one session while its records are applied
``filing``      its tags and metadata, sorted
``artifacts``   what ``artifact.*`` records do to them
``sessions``    what a session says about itself, and its state
``events``      what agents, tools and workflows did
``logs``        which logs have grown, and reading on in them
``catch_up``    from the logs into the tables
``keeper``      when that is done, and for which sessions
``place``       where the file is: in the store, or where this user may write
``database``    opening it, reading and writing it beside other processes, replacing it; with ``sqlite``
``conditions``  a query's terms as SQL, with ``functions`` of ours
``lookup``      which terms an index answers
``plan``        which of them is looked up, and which are only checked
``find``        asking, and what comes back
``index``       all of it together

It is derived from the logs alone. Whoever asks first brings it up to date; deleting it costs time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionfs.index.find import IndexedArtifact
    from sessionfs.index.index import Index, Standing

_MODULE_OF = {"Index": "index", "IndexedArtifact": "find", "Standing": "index"}

__all__ = ["Index", "IndexedArtifact", "Standing"]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'sessionfs.index' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sessionfs.index.{module}"), name)
