"""Reading in threads, for a screen: of what is asked for one after the other, only the newest is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from textual.widget import Widget

from sessionfs.errors import Error
from sessionfs.ui.threads import Threads

Result = TypeVar("Result")


class _Asked(NamedTuple):
    read: Callable[[], Any]
    done: Callable[[Any], None]
    failed: Callable[[Error | OSError], None]


class Latest:
    """Reads one thing at a time; what was asked for meanwhile, and is not the newest, is not read at all."""

    def __init__(self, widget: Widget, threads: Threads) -> None:
        """Prepare it.

        Args:
            widget: Whose screen the results are for; with it, the reading ends.
            threads: Where it is read.
        """
        self._widget = widget
        self._threads = threads
        self._next: _Asked | None = None
        self._is_running = False

    def ask(
        self,
        read: Callable[[], Result],
        done: Callable[[Result], None],
        failed: Callable[[Error | OSError], None],
    ) -> None:
        """Have *read* called in a thread, and then *done* with what it returns, unless something newer was asked for.

        Args:
            failed: Called with an error of ours, or of the system's; others end the program, as they should.
        """
        self._next = _Asked(read, done, failed)
        if not self._is_running:
            self._is_running = True
            # The function itself: a coroutine that is made and then never begun, on the way out, is complained of.
            self._widget.run_worker(self._run, exit_on_error=True)  # type: ignore[arg-type]  # mypy finds two readings

    def forget(self) -> None:
        """Drop what is asked for and not yet done."""
        self._next = _Asked(lambda: None, lambda _: None, lambda _: None) if self._is_running else None

    async def _run(self) -> None:
        try:
            while (asked := self._next) is not None:
                try:
                    result = await self._threads.run(asked.read)
                except (Error, OSError) as failure:
                    if self._is_wanted(asked):
                        self._next = None
                        asked.failed(failure)
                else:
                    if self._is_wanted(asked):
                        self._next = None
                        asked.done(result)
                if not self._widget.is_attached:
                    return
        finally:
            self._is_running = False

    def _is_wanted(self, asked: _Asked) -> bool:
        """Say whether somebody still waits for it: nothing newer was asked for, and the screen is still there."""
        return asked is self._next and self._widget.is_attached
