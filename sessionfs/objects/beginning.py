"""What staged content begins with, and goes on with.

This is imported when something is staged: the verbs that only read or put are quicker without all the forms.
"""

from __future__ import annotations

from sessionfs.objects.base import Base
from sessionfs.objects.fresh import Fresh
from sessionfs.objects.overlay import Overlay
from sessionfs.objects.reader import ObjectReader
from sessionfs.objects.staged import Staged
from sessionfs.objects.staging import Bytes, Staging
from sessionfs.objects.stored import Stored
from sessionfs.oid import ObjectId


def begin(staging: Staging, data: Bytes = b"") -> Staged:
    """Return staged content that is *data*, which is small."""
    return Staged(staging, Fresh(staging, data), _go_on)


def begin_over(staging: Staging, oid: ObjectId, reader: ObjectReader) -> Staged:
    """Return staged content that is the blob which *reader* reads, and which takes *reader* over."""
    return Staged(staging, Overlay(staging, Base.below(staging, oid, reader), Fresh), _go_on)


def _go_on(staging: Staging, stored: Stored) -> Overlay:
    return Overlay(staging, Base.of(staging, stored), Fresh)
