"""One page of HTML from numbers: nothing but itself is needed to read it, and nothing in it runs or is fetched."""

from __future__ import annotations

import os

import msgspec

from sessionfs.analytics.patterns import Patterns
from sessionfs.analytics.report import parts
from sessionfs.analytics.report.html import Html, element
from sessionfs.analytics.report.lanes import draw_lanes
from sessionfs.analytics.space import Space
from sessionfs.analytics.stats import Stats
from sessionfs.analytics.timeline import Timeline
from sessionfs.clock import format_time
from sessionfs.shown import human_time

# The page's own style is all that may be used, whatever a name in it says.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows; parts that are None, or empty, are left out."""

    title: str
    about: str = ""
    made_ns: int | None = None
    stats: Stats | None = None
    patterns: Patterns | None = None
    space: Space | None = None
    timelines: tuple[Timeline, ...] = ()


def format_report(report: Report) -> str:
    """Return *report* as a page, which is UTF-8 when it is written."""
    sections = _sections(report)
    links = [element("a", name, href=f"#{key}") for key, name, _ in sections]
    about = [
        report.about,
        *([f"As of {human_time(format_time(report.made_ns))} UTC."] if report.made_ns is not None else []),
    ]
    body = element(
        "body",
        element("h1", report.title),
        element("p", " ".join(filter(None, about)), class_="about"),
        parts.figures(report.stats) if report.stats is not None else "",
        element("nav", links, aria_label="Parts of this page") if len(links) > 1 else "",
        element("main", [content for _, _, content in sections] or "There is nothing to show."),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", report.title),
        element("style", _style()),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n{body}\n</html>\n'


def _sections(report: Report) -> list[tuple[str, str, Html]]:
    found: list[tuple[str, str, Html]] = []
    if report.stats is not None:
        found.append(("sessions", "Sessions", parts.sessions(report.stats)))
    if report.patterns is not None:
        found += _of_patterns(report.patterns)
    if report.space is not None:
        found.append(("space", "Space", parts.space(report.space)))
    if report.timelines:
        drawn = [Html(element("h3", timeline.sessions[0].id) + draw_lanes(timeline)) for timeline in report.timelines]
        found.append(("timelines", "Timelines", element("section", element("h2", "Timelines"), drawn, id="timelines")))
    return found


def _of_patterns(patterns: Patterns) -> list[tuple[str, str, Html]]:
    found = [
        (name, title, parts.uses(name, title, uses, style))
        for name, title, uses, style in (
            ("tools", "Tools", patterns.tools, "ok"),
            ("agents", "Agents", patterns.agents, "second"),
            ("workflows", "Workflows", patterns.workflows, "third"),
        )
        if uses
    ]
    if patterns.troubles:
        found.append(("errors", "Errors", parts.troubles(patterns)))
    if patterns.sequences:
        found.append(("sequences", "Sequences", parts.sequences(patterns)))
    if patterns.busiest:
        found.append(("busiest", "Busiest", parts.busiest(patterns)))
    return found


def _style() -> Html:
    with open(os.path.join(os.path.dirname(__file__), "style.css"), encoding="utf-8") as file:
        return Html(f"\n{file.read()}")
