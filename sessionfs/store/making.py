"""What artifacts are made by: the block of work that is open where they are stored, see ``sessionfs.correlation``."""

from __future__ import annotations

import msgspec

from sessionfs.artifacts.events import MadeBy
from sessionfs.correlation import Block, Named, current


class Making(msgspec.Struct, frozen=True):
    """What the next records of a session say of the open block."""

    made_by: MadeBy  # of the first record
    block: Block
    session_id: str
    named: Named

    @property
    def made_by_later(self) -> MadeBy:
        """What the records after the first one say: the inputs have been named."""
        return MadeBy(type=self.made_by.type, name=self.made_by.name, block=self.made_by.block)

    def recorded(self) -> None:
        """Note that the first record is in the log."""
        self.block.note_named(self.session_id, self.named)


def find_making(session_id: str) -> Making | None:
    """Return what the next artifact of a session is made by; None when no block is open.

    Concurrency:
        The caller holds the session's lock from here until it has called :meth:`Making.recorded`.
    """
    context = current()
    if context is None or context.block is None:
        return None
    block = context.block
    inputs, named = block.unnamed_inputs(session_id)
    made_by = MadeBy(type=block.type, name=block.name, block=block.id, inputs=inputs)
    return Making(made_by, block, session_id, named)
