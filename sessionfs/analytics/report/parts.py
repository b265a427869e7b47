"""The parts of a report: each from its numbers to HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sessionfs.analytics.patterns import Patterns, Use
from sessionfs.analytics.report.bins import put_together
from sessionfs.analytics.report.charts import Bar, Part, bars, columns, parts
from sessionfs.analytics.report.html import Content, Html, cut, element
from sessionfs.analytics.space import SessionSpace, Space
from sessionfs.analytics.stats import Stats
from sessionfs.clock import format_time
from sessionfs.shown import human_duration, human_size, human_time

_BARS = 20
_ROWS = 50
_LONGEST_NAME = 120
_USE_HEADS = (
    "name", "calls", "failed", "sessions", "average", "half within", "90 % within", "99 % within", "longest",
    "tokens in", "tokens out",
)  # fmt: skip
_STATUS_STYLES = {
    "active": "third", "suspended": "warned", "completed": "ok", "failed": "failed", "archived": "idle",
}  # fmt: skip


def figures(stats: Stats) -> Html:
    """Return the numbers that say most."""
    calls, failures = sum(day.calls for day in stats.days), sum(day.failures for day in stats.days)
    durations = stats.durations
    said = {
        "sessions": f"{stats.session_count:,}",
        "failed": f"{stats.by_status['failed']:,}",
        "artifacts": f"{stats.artifact_count:,}",
        "of size": human_size(stats.sizes.size),
        "stored in": human_size(stats.sizes.stored),
        "events": f"{stats.event_count:,}",
        "calls, turns": f"{calls:,}",
        "of them failed": f"{failures / calls:.1%}" if calls else "-",
        "half ended within": "-" if durations is None else human_duration(durations.median_ns),
    }
    return element(
        "dl",
        [element("div", element("dt", name), element("dd", value)) for name, value in said.items()],
        class_="figures",
    )


def sessions(stats: Stats) -> Html:
    """Return sessions by day, status and tag, and how long they took."""
    length, days = put_together(stats.days)
    each = "a day" if length == 1 else f"{length} days"
    statuses = [Part(count, _STATUS_STYLES[name], name) for name, count in stats.by_status.items() if count]
    content: list[Html] = []
    if statuses:
        about = ", ".join(f"{part.value:,} {part.name}" for part in statuses)
        content.append(parts("Sessions by status", about, statuses, _count))
    if days:
        began = [
            Bar(day.date, (
                Part(day.sessions - day.failed, "ok", f"{day.sessions:,} began"),
                Part(day.failed, "failed", f"{day.failed:,} of them failed"),
            ), "")
            for day in days
        ]  # fmt: skip
        said = f"from {days[0].date} to {days[-1].date}, each column is {each}"
        content += [_title("Sessions begun"), columns("Sessions begun", said, began, _count), _FAILED]
        called = [
            Bar(day.date, (
                Part(day.calls - day.failures, "second", f"{day.calls:,} calls and turns"),
                Part(day.failures, "failed", f"{day.failures:,} of them failed"),
            ), "")
            for day in days
        ]  # fmt: skip
        if any(day.calls for day in days):
            content += [
                _title("Calls of tools and turns of agents"),
                columns("Calls and turns", said, called, _count),
                _FAILED,
            ]
        content.append(_about(f"Each column is {each}, by UTC."))
    if stats.by_tag:
        tags = list(stats.by_tag.items())
        rows = [Bar(tag, (Part(count, "third", f"{count:,} sessions"),), f"{count:,}") for tag, count in tags[:_BARS]]
        content += [
            _title("Tags"),
            bars("Sessions by tag", f"{len(tags):,} tags", rows),
            _more(len(tags), _BARS, "tags"),
        ]
    if stats.durations is not None:
        of = stats.durations
        content.append(_about(
            f"{of.count:,} sessions ended: {human_duration(of.average_ns)} on average, half within "
            f"{human_duration(of.median_ns)}, 90 % within {human_duration(of.p90_ns)}, 99 % within "
            f"{human_duration(of.p99_ns)}, the longest {human_duration(of.longest_ns)}."
        ))  # fmt: skip
    return _section("sessions", "Sessions", content)


def uses(name: str, title: str, found: Sequence[Use], style: str) -> Html:
    """Return how tools, agents or workflows were used."""
    rows = [
        Bar(use.name, (
            Part(use.calls - use.failures, style, f"{use.calls:,} calls"),
            Part(use.failures, "failed", f"{use.failures:,} failed"),
        ), f"{use.calls:,}" + (f", {use.failures:,} failed" if use.failures else ""))
        for use in found[:_BARS]
    ]  # fmt: skip
    has_tokens = any(use.input_tokens or use.output_tokens for use in found)
    numbers = [[
        use.name or "(no name)", f"{use.calls:,}", f"{use.failures:,} ({use.failure_rate:.0%})",
        f"{use.session_count:,}", *_durations(use), f"{use.input_tokens:,}", f"{use.output_tokens:,}",
    ] for use in found[:_ROWS]]  # fmt: skip
    width = len(_USE_HEADS) - (0 if has_tokens else 2)
    table = _table(_USE_HEADS[:width], [row[:width] for row in numbers])
    chart = bars(f"{title}: calls and failures", f"{len(found):,}, those that were called most first", rows)
    return _section(
        name,
        title,
        [chart, _FAILED if any(use.failures for use in found) else "", table, _more(len(found), _ROWS, title.lower())],
    )


def troubles(patterns: Patterns) -> Html:
    """Return errors, warnings and failures by code."""
    found = patterns.troubles
    rows = [
        Bar(one.code or "(no code)", (
            Part(one.errors, "failed", f"{one.errors:,} errors"),
            Part(one.failures, "second", f"{one.failures:,} calls and turns failed"),
            Part(one.warnings, "warned", f"{one.warnings:,} warnings"),
        ), f"{one.count:,}")
        for one in found[:_BARS]
    ]  # fmt: skip
    table = _table(
        ["code", "errors", "failed calls", "warnings", "sessions", "first", "last", "last event", "of"],
        [[
            one.code or "(no code)", f"{one.errors:,}", f"{one.failures:,}", f"{one.warnings:,}",
            f"{one.session_count:,}", _moment(one.first_ns), _moment(one.last_ns), one.last_id, ", ".join(one.names),
        ] for one in found[:_ROWS]],
        names=("code", "last event", "of", "first", "last"),
    )  # fmt: skip
    keys = _legend([("failed", "errors"), ("second", "failed calls and turns"), ("warned", "warnings")])
    chart = bars("Errors and warnings by code", f"{len(found):,} codes", rows)
    return _section("errors", "Errors and warnings", [chart, keys, table, _more(len(found), _ROWS, "codes")])


def sequences(patterns: Patterns) -> Html:
    """Return the sequences of tools that occur most."""
    rows = [[_chain(one.tools), f"{one.count:,}", f"{one.session_count:,}"] for one in patterns.sequences]
    return _section("sequences", "Tools that follow each other", [_table(["tools", "times", "sessions"], rows)])


def busiest(patterns: Patterns) -> Html:
    """Return the sessions in which most happened."""
    rows = [[
        one.id, one.name or "", one.status, f"{one.events:,}", f"{one.calls:,}", f"{one.failures:,}", f"{one.tokens:,}",
        f"{one.artifacts:,}", human_size(one.size), "-" if one.duration_ns is None else human_duration(one.duration_ns),
    ] for one in patterns.busiest]  # fmt: skip
    heads = ["session", "name", "status", "events", "calls", "failed", "tokens", "artifacts", "size", "duration"]
    return _section("busiest", "Busiest sessions", [_table(heads, rows, names=("session", "name", "status"))])


def space(found: Space) -> Html:
    """Return where the space is."""
    of = found.content
    saved = [
        Part(of.stored, "ok", "stored"),
        Part(max(of.compressed, 0), "third", "saved by compression"),
        Part(max(of.deduplicated, 0), "second", "saved by deduplication"),
    ]
    about = ", ".join(f"{part.name} {human_size(part.value)}" for part in saved)
    largest = [one for one in found.sessions[:_BARS] if one.total or one.shared]
    places = [place for place in found.places if place.count or place.size]
    return _section("space", "Space", [
        _title("What all versions of all artifacts would take"), parts("Content", about, saved, human_size),
        _about(
            f"{of.object_count:,} objects take {human_size(of.stored)}, {human_size(of.allocated)} on the disk"
            + (f"; {of.packed_count:,} of them lie in packs." if of.packed_count else ".")
        ),
        *([
            _title("Sessions"), bars("Space by session", "own content, log, and content shared with others",
            list(map(_of_session, largest))),
            _legend([("ok", "own"), ("idle", "log"), ("second", "shared with others")]),
            _more(len(found.sessions), _BARS, "sessions"),
        ] if largest else []),
        _title("The whole store"),
        _table(["what", "files", "bytes", "on the disk"], [
            [place.purpose, f"{place.count:,}", human_size(place.size), human_size(place.allocated)] for place in places
        ] + [["total", "", human_size(found.size), human_size(found.allocated)]]),
    ])  # fmt: skip


def _of_session(one: SessionSpace) -> Bar:
    named = (("own", one.own, "ok"), ("log", one.log, "idle"), ("shared", one.shared, "second"))
    shown = tuple(Part(size, style, f"{name} {human_size(size)}") for name, size, style in named)
    shared = f" + {human_size(one.shared)}" if one.shared else ""
    return Bar(one.id, shown, human_size(one.total) + shared)


def _durations(use: Use) -> list[str]:
    of = use.durations
    if of is None:
        return ["-"] * 5
    return [human_duration(ns) for ns in (of.average_ns, of.median_ns, of.p90_ns, of.p99_ns, of.longest_ns)]


def _chain(tools: Iterable[str]) -> Html:
    steps: list[Content] = []
    for tool in tools:
        steps += [*([" → "] if steps else []), element("b", tool or "(no name)")]
    return element("span", steps, class_="chain")


def _moment(time_ns: int) -> str:
    return human_time(format_time(time_ns))


def _table(heads: Sequence[str], rows: Sequence[Sequence[Content]], *, names: Sequence[str] = ()) -> Html:
    """Return a table; the first column and those of *names* are texts, the others numbers."""
    styles = ["name" if at == 0 or head in names else "number" for at, head in enumerate(heads)]
    head = element("tr", [element("th", one, scope="col", class_=style if style == "number" else None)
                          for one, style in zip(heads, styles, strict=True)])  # fmt: skip
    body = [element("tr", [_cell(cell, style) for cell, style in zip(row, styles, strict=True)]) for row in rows]
    return element("div", element("table", element("thead", head), element("tbody", body)), class_="wide")


def _cell(content: Content, style: str) -> Html:
    """Return a cell; of a long name the beginning, and all of it where somebody points."""
    if isinstance(content, str) and not isinstance(content, Html) and len(content) > _LONGEST_NAME:
        return element("td", cut(content, _LONGEST_NAME), class_=style, title=content)
    return element("td", content, class_=style)


def _section(name: str, title: str, content: Content) -> Html:
    return element("section", element("h2", title), content, id=name)


def _title(text: str) -> Html:
    return element("h3", text)


def _about(text: str) -> Html:
    return element("p", text, class_="about")


def _legend(keys: Iterable[tuple[str, str]]) -> Html:
    return element(
        "p", [element("span", element("i", class_=f"key {style}"), name) for style, name in keys], class_="legend"
    )


def _more(count: int, shown: int, what: str) -> Html:
    return _about(f"and {count - shown:,} more {what}") if count > shown else Html("")


_count: Callable[[int], str] = "{:,}".format
_FAILED = _legend([("failed", "failed")])
