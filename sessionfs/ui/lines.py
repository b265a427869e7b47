"""A text to scroll in, of which the lines that are seen are drawn; or a picture."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sessionfs.ui.content import Content, Line
from sessionfs.ui.picture import Picture

_ROLES = (
    "good", "bad", "warn", "dim", "accent", "title", "keyword", "string", "number", "comment", "name",
)  # fmt: skip

# From dark to light, where there are no colours.
_SHADES = " .:-=+*#%@"


class Lines(ScrollView, can_focus=True):
    """Something to look at."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"lines--{role}" for role in _ROLES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("left", "sideways(-8)", "To the left", show=False),
        Binding("right", "sideways(8)", "To the right", show=False),
        Binding("pageup", "page_up", "A page up", show=False),
        Binding("pagedown,space", "page_down", "A page down", show=False),
        Binding("home", "scroll_home", "To the beginning", show=False),
        Binding("end", "scroll_end", "To the end", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.content = Content([])
        self._width = 0
        self._drawn: tuple[tuple[int, int, str], list[Strip]] | None = None

    def show(self, content: Content, *, keep_place: bool = False) -> None:
        """Show something else.

        Args:
            keep_place: Stay where it is scrolled to: it is the same thing, read again.
        """
        self.content = content
        self._drawn = None
        self._width = max((sum(cell_len(text) for text, _ in line) for line in content.lines), default=0)
        if content.picture is None:
            self.virtual_size = Size(self._width, len(content.lines))
        else:
            self.virtual_size = Size(0, 0)
        if not keep_place:
            self.scroll_to(0, 0, animate=False)
        self.refresh()

    def action_sideways(self, step: int) -> None:
        """Scroll to the side."""
        self.scroll_to(x=self.scroll_x + step, animate=False)

    def on_resize(self) -> None:
        """Draw a picture at its new size."""
        self._drawn = None

    def render_line(self, y: int) -> Strip:
        """Return one line."""
        if self.content.picture is not None:
            drawn = self._draw(self.content.picture)
            return drawn[y] if y < len(drawn) else Strip.blank(self._room.width, self.rich_style)
        index = int(self.scroll_y) + y
        line: Line = self.content.lines[index] if index < len(self.content.lines) else ()
        base = self.rich_style
        segments = [Segment(text, self._style(role, base)) for text, role in line]
        left, width = int(self.scroll_x), self._room.width
        return Strip(segments).crop_extend(left, left + width, base)

    @property
    def _room(self) -> Size:
        """What can be drawn in, without scrollbars."""
        return self.scrollable_content_region.size

    def _style(self, role: str, base: Style) -> Style:
        return self.get_component_rich_style(f"lines--{role}") if role else base

    def _draw(self, picture: Picture) -> list[Strip]:
        base, size = self.rich_style, self._room
        background = base.bgcolor.get_truecolor() if base.bgcolor is not None else (0, 0, 0)
        key = (size.width, size.height, str(background))
        if self._drawn is not None and self._drawn[0] == key:
            return self._drawn[1]
        columns, lines = picture.fit(max(1, size.width), max(1, size.height))
        left = " " * ((size.width - columns) // 2)
        strips = []
        for row in picture.draw(columns, lines, (background[0], background[1], background[2])):
            if self.app.no_color:
                cells = [Segment("".join(_shade(*upper) for upper, _ in row), base)]
            else:
                cells = [
                    Segment("▀", Style(color=Color.from_rgb(*up), bgcolor=Color.from_rgb(*low))) for up, low in row
                ]
            strips.append(Strip([Segment(left, base), *cells]).adjust_cell_length(size.width, base))
        self._drawn = (key, strips)
        return strips


def _shade(red: int, green: int, blue: int) -> str:
    return _SHADES[(299 * red + 587 * green + 114 * blue) * len(_SHADES) // 255001]
