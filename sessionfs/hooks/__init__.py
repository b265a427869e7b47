"""Hooks: what is called before and after a change, whichever face makes it.

``points``        where: ``pre-artifact-store`` and its like
``calls``         what a hook is told, and what it may answer
``registry``      hooks that are functions; ``entry_points`` those of installed packages
``executables``   hooks that are programs in ``STORE/hooks``; ``process`` runs one
``running``       calling one hook
``hooks``         the hooks of a store, in order, with circuit breakers; ``at_point`` those of one point, with records
``inside``        what a hook does calls no hooks; ``complaints`` what can only be logged
``listing``       what there is and how it fares; ``switching`` enables and disables; ``trying`` calls by hand

The store's side is :mod:`sessionfs.store.hooked`; what hooks did is folded by :mod:`sessionfs.store.hook_history`.
"""

from sessionfs.hooks.at_point import AtPoint
from sessionfs.hooks.calls import Cancel, HookCall, Modify
from sessionfs.hooks.hooks import StoreHooks
from sessionfs.hooks.registry import HIGH, LOW, NORMAL
from sessionfs.store.hooked import Action, ArtifactAction, HookFailed, HookVeto, SessionAction, StateAction

__all__ = [
    "HIGH",
    "LOW",
    "NORMAL",
    "Action",
    "ArtifactAction",
    "AtPoint",
    "Cancel",
    "HookCall",
    "HookFailed",
    "HookVeto",
    "Modify",
    "SessionAction",
    "StateAction",
    "StoreHooks",
]
