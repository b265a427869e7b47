"""Content: immutable objects named by the hash of what they hold.

``database``  put, read, look up; which form an object has is known only here
``incoming``  content that streams in
``staged``    content that is written at any offset
``reader``    content that is read at any offset
``frame``     the LZ4 frame format
``cache``     decompressed blocks
"""

from sessionfs.objects.cache import BlockCache
from sessionfs.objects.database import DamagedObject, NoSuchObject, ObjectDatabase, ObjectFile, Stored
from sessionfs.objects.reader import ObjectReader
from sessionfs.objects.staged import Staged

__all__ = [
    "BlockCache",
    "DamagedObject",
    "NoSuchObject",
    "ObjectDatabase",
    "ObjectFile",
    "ObjectReader",
    "Staged",
    "Stored",
]
