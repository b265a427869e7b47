"""Charts as SVG: columns over time, bars beside names, one bar in parts.

Each says in words what it shows, for who cannot see it; colours are classes of the page, so that it can be light, dark
or printed; and no meaning hangs on a colour alone: numbers stand beside what they are drawn as.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import count

import msgspec

from sessionfs.analytics.report.html import Content, Html, cut, element

WIDTH = 1000
_ROW = 24
_NAME_WIDTH = 220
_NAME_SIGNS = 28
_NUMBER_WIDTH = 150
_COLUMNS_HEIGHT = 150
_AXIS_HEIGHT = 22
_LEFT = 48

_numbers = count(1)

Format = Callable[[int], str]


class Part(msgspec.Struct, frozen=True):
    """A part of a bar or column: how long it is, its class, and what it is."""

    value: int
    style: str
    name: str


class Bar(msgspec.Struct, frozen=True):
    """A bar with its name, and what stands behind it."""

    name: str
    parts: tuple[Part, ...]
    note: str

    @property
    def value(self) -> int:
        """How long it is."""
        return sum(part.value for part in self.parts)


def figure(title: str, about: str, width: int, height: float, *content: Content) -> Html:
    """Return a picture with a title and a description."""
    number = next(_numbers)
    return element(
        "div",
        element(
            "svg",
            element("title", title, id=f"t{number}"),
            element("desc", about, id=f"d{number}"),
            *content,
            viewBox=f"0 0 {width} {math.ceil(height)}",
            width=width,
            height=math.ceil(height),
            role="img",
            aria_labelledby=f"t{number} d{number}",
        ),
        class_="chart",
    )


def bars(title: str, about: str, rows: Sequence[Bar]) -> Html:
    """Return bars below each other, each as long as its value, with a name before it and a note behind it."""
    longest = max((bar.value for bar in rows), default=0) or 1
    room = WIDTH - _NAME_WIDTH - _NUMBER_WIDTH
    drawn: list[Html] = []
    for number, bar in enumerate(rows):
        y = number * _ROW
        drawn.append(element(
            "text", element("title", bar.name), cut(bar.name or "(no name)", _NAME_SIGNS),
            x=_NAME_WIDTH - 8, y=y + 16, text_anchor="end",
        ))  # fmt: skip
        x = float(_NAME_WIDTH)
        for part in bar.parts:
            width = room * part.value / longest
            if part.value:
                drawn.append(element(
                    "rect", element("title", f"{bar.name}: {part.name}"), x=x, y=y + 4, width=max(width, 1.0),
                    height=_ROW - 8, class_=part.style,
                ))  # fmt: skip
            x += width
        drawn.append(element("text", bar.note, x=x + 6, y=y + 16, class_="note"))
    return figure(title, about, WIDTH, len(rows) * _ROW + 4, drawn)


def columns(title: str, about: str, rows: Sequence[Bar], say: Format) -> Html:
    """Return columns beside each other, under which the first, the last and some names between them stand."""
    highest = nice(max((bar.value for bar in rows), default=0))
    room = WIDTH - _LEFT - 8
    step = room / max(len(rows), 1)
    drawn: list[Html] = []
    for at in range(5):
        y = 8 + _COLUMNS_HEIGHT * at / 4
        drawn.append(element("line", x1=_LEFT, x2=WIDTH - 8, y1=y, y2=y, class_="grid"))
        if highest * (4 - at) % 4 == 0 or highest >= 40:
            label = say(highest * (4 - at) // 4)
            drawn.append(element("text", label, x=_LEFT - 6, y=y + 4, text_anchor="end", class_="note"))
    for number, bar in enumerate(rows):
        y = 8.0 + _COLUMNS_HEIGHT
        for part in bar.parts:
            height = _COLUMNS_HEIGHT * part.value / highest
            y -= height
            if part.value:
                drawn.append(element(
                    "rect", element("title", f"{bar.name}: {part.name}"), x=_LEFT + number * step + step * 0.1, y=y,
                    width=max(min(step * 0.8, 60.0), 1.0), height=max(height, 1.0), class_=part.style,
                ))  # fmt: skip
    drawn += _names_below(rows, step)
    return figure(title, about, WIDTH, _COLUMNS_HEIGHT + 8 + _AXIS_HEIGHT, drawn)


def _names_below(rows: Sequence[Bar], step: float) -> list[Html]:
    every = max(math.ceil(90 / step), 1) if step else 1
    y = _COLUMNS_HEIGHT + 8 + 16
    return [
        element("text", rows[at].name, x=_LEFT + at * step + step * 0.1, y=y, class_="note")
        for at in range(0, len(rows), every)
        if _LEFT + at * step + 70 <= WIDTH
    ]


def parts(title: str, about: str, of: Sequence[Part], say: Format) -> Html:
    """Return one bar in parts, and below it what they are."""
    whole = sum(part.value for part in of) or 1
    x = 0.0
    drawn: list[Html] = []
    for part in of:
        width = WIDTH * part.value / whole
        if part.value > 0:
            drawn.append(element(
                "rect", element("title", f"{part.name}: {say(part.value)}"), x=x, y=0, width=max(width - 1, 1.0),
                height=26, class_=part.style,
            ))  # fmt: skip
        x += max(width, 0.0)
    legend = [
        element(
            "span",
            element("i", class_=f"key {part.style}"),
            f"{part.name} {say(part.value)} ({part.value / whole:.0%})",
        )
        for part in of
    ]
    return Html(figure(title, about, WIDTH, 27, drawn) + element("p", legend, class_="legend"))


def nice(number: int) -> int:
    """Return the next number that is easy to read: 1, 2, 4, 5 or 8 times a power of ten."""
    if number <= 1:
        return 1
    power = int(f"1{'0' * (len(str(number)) - 1)}")
    return power * next(factor for factor in (1, 2, 4, 5, 8, 10) if factor * power >= number)
