"""All keys, from what is bound: the list cannot be other than the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from sessionfs.ui.content import Content, Line
from sessionfs.ui.lines import Lines
from sessionfs.ui.page import Page

_NAMES = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "page up",
    "pagedown": "page down",
    "question_mark": "?",
    "slash": "/",
    "equals_sign": "=",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}

Group = tuple[str, Sequence[BindingType]]


class Help(Page[None], ModalScreen[None]):
    """The list of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,enter", "dismiss", "Close")]

    def __init__(self, groups: Iterable[Group]) -> None:
        super().__init__()
        self._groups = list(groups)

    def compose(self) -> ComposeResult:
        """Make what is seen."""
        lines = Lines(id="help")
        lines.border_title = "Keys"
        lines.border_subtitle = "esc closes"
        yield lines

    def begin(self) -> None:
        """Show the keys."""
        lines: list[Line] = []
        for title, bindings in self._groups:
            lines += [((title, "title"),), *map(_line, _bindings(bindings)), ()]
        lines += [(("Filters", "title"),), *(((f"  {text}", ""),) for text in _FILTERS)]
        self.query_one(Lines).show(Content(lines))


def _bindings(bindings: Sequence[BindingType]) -> list[Binding]:
    return [one for one in bindings if isinstance(one, Binding) and one.description]


def _line(binding: Binding) -> Line:
    keys = ", ".join(_NAMES.get(key, key.replace("+", " ").strip()) for key in binding.key.split(","))
    return ((f"  {keys:<18}", "accent"), (f" {binding.tooltip or binding.description}", ""))


_FILTERS = (
    "Sessions: status:failed tag:nightly name:run* after:7d has:(type:log size:>1M)",
    "Artifacts: *.csv type:tool_result size:>1M meta.dept:sales versions:all",
    "Events: type:tool.* actor:uid:* and words that are in the data",
    "State: how a key begins. The language is in sessionfs/docs/query.md.",
)
