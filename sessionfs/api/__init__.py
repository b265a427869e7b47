"""The Python API: what ``import sessionfs`` gives.

``store``      :func:`open`, the store and its sessions
``session``    one session
``artifacts``  its artifacts, as a mapping, with verbs
``files``      artifacts as file objects
``state``      its state, as a mapping
"""

from sessionfs.api.artifacts import Artifact, Artifacts
from sessionfs.api.session import Session
from sessionfs.api.state import State
from sessionfs.api.store import Sessions, Store, open

__all__ = ["Artifact", "Artifacts", "Session", "Sessions", "State", "Store", "open"]
