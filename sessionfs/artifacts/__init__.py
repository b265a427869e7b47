"""Artifacts: the named files of a session, as a tree.

``names``        which names there are, and their text form
``node``         one inode
``directory``    directories in memory, read and written part by part
``tree_object``  what the entries of a directory are on disk
``linked``       inodes with several names
``events``       what the ``artifact.*`` records say
``tree``         what they add up to
``rules``        which changes of it are allowed
``mime``         guessing types
"""

from sessionfs.artifacts import events, mime, names, rules
from sessionfs.artifacts.directory import Directory
from sessionfs.artifacts.names import BadName, NameTooLong, check_path, from_text, text_of
from sessionfs.artifacts.node import Entry, Node
from sessionfs.artifacts.rules import (
    ArtifactExists,
    DirectoryNotEmpty,
    IntoItself,
    IsADirectory,
    LinkedDirectory,
    TooManyLinks,
)
from sessionfs.artifacts.tree import Applied, NoSuchArtifact, NotADirectory, Tree
from sessionfs.artifacts.tree_object import DamagedTree

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
