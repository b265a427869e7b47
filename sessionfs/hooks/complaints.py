"""Saying that something is wrong with a hook where nothing can be raised: to the log of the program (``logging``)."""

from __future__ import annotations


def complain(message: str, *arguments: object) -> None:
    """Log a warning. ``logging`` takes 2 ms to import, and mostly there is nothing to say."""
    import logging

    logging.getLogger("sessionfs.hooks").warning(message, *arguments)
