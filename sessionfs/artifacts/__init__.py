"""Artifacts: the named files of a session, as a tree.

``names``   which names there are, and their text form
``node``    one inode, in memory and in a tree object
``linked``  inodes with several names
``events``  what the ``artifact.*`` records say
``tree``    what they add up to
``rules``   which changes of it are allowed
``mime``    guessing types
"""

from sessionfs.artifacts import events, mime, names, rules
from sessionfs.artifacts.names import BadName, NameTooLong, check_path, from_text, text_of
from sessionfs.artifacts.node import DamagedTree, Directory, Entry, Node
from sessionfs.artifacts.rules import (
    ArtifactExists,
    DirectoryNotEmpty,
    IntoItself,
    IsADirectory,
    LinkedDirectory,
    TooManyLinks,
)
from sessionfs.artifacts.tree import Applied, NoSuchArtifact, NotADirectory, Tree

__all__ = [
    "Applied",
    "ArtifactExists",
    "BadName",
    "DamagedTree",
    "Directory",
    "DirectoryNotEmpty",
    "Entry",
    "IntoItself",
    "IsADirectory",
    "LinkedDirectory",
    "NameTooLong",
    "NoSuchArtifact",
    "Node",
    "NotADirectory",
    "TooManyLinks",
    "Tree",
    "check_path",
    "events",
    "from_text",
    "mime",
    "names",
    "rules",
    "text_of",
]
