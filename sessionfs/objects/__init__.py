"""Content: immutable objects named by the hash of what they hold.

``database``  put, read, look up; the rest of the store knows only this and what it returns
``files``     which file is which object, and how it gets its name
``blobs``     the three forms of a blob, opened
``presence``  whether a blob is there and looks whole
``writer``    blobs on their way in
``verify``    objects against their names
``packs``     many small ones in one file; ``packing``: its bytes (pure), ``opened``: one pack, ``catalog``: which there
              are, ``adding``: to the one that grows
``trashed``   those that nobody needed, until they are deleted
``holding``   nobody deletes what is about to be named
``copying``   taking objects from another database

The forms of a blob:

``reader``    as it is, or in one frame
``frame``     the LZ4 frame format
``cache``     decompressed blocks
``pieces``    the list of a blob in pieces (pure)
``joined``    reading it
``incoming``  content that streams in

Content that is written at any offset:

``staged``    what others see of it
``staging``   what its forms have in common
``beginning`` what it begins with
``limits``    when it changes its form
``fresh``     begins with nothing: ``growing`` when it is written in order, ``sparse`` when it is not
``overlay``   lies over a ``base``, with ``edits`` in it and a tail after it
``joining``   which pieces new content keeps, and what is written (pure)
``assembly``  writing them
``extents``   which parts were written (pure)
``recent``    hashers of what was stored lately
``background`` threads for what a writer does not wait for
"""

from sessionfs.objects.cache import BlockCache
from sessionfs.objects.database import ObjectDatabase
from sessionfs.objects.holding import ObjectGone
from sessionfs.objects.limits import Limits
from sessionfs.objects.reader import ObjectReader
from sessionfs.objects.staged import Staged
from sessionfs.objects.stored import DamagedObject, GivenUp, NoSuchObject, ObjectFile, Stored
from sessionfs.objects.verify import BrokenPieces, Verifier

__all__ = [
    "BlockCache",
    "BrokenPieces",
    "DamagedObject",
    "GivenUp",
    "Limits",
    "NoSuchObject",
    "ObjectDatabase",
    "ObjectFile",
    "ObjectGone",
    "ObjectReader",
    "Staged",
    "Stored",
    "Verifier",
]
