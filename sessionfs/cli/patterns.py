"""``patterns``: what tools, agents and workflows did, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.drawing import fit, signs_of
from sessionfs.cli.report_file import HTML
from sessionfs.cli.spec import Option, Verb
from sessionfs.cli.stats import QUERY, answer
from sessionfs.cli.tables import STATUS_COLOURS, Column, human_size, human_time
from sessionfs.shown import human_duration

if TYPE_CHECKING:
    from sessionfs.analytics.patterns import Patterns, Use

SHOWN = 15
_NAME_WIDTH = 40
_WHOLE = "{:,}".format
_DURATIONS = ("average_ns", "median_ns", "p90_ns", "p99_ns", "longest_ns")

_USES = (
    Column("name"),
    Column("calls", human=_WHOLE, right=True),
    Column("failures", "FAILED", human=_WHOLE, right=True),
    Column("session_count", "SESSIONS", human=_WHOLE, right=True),
    Column("average_ns", "AVERAGE", human=human_duration, right=True),
    Column("median_ns", "HALF", human=human_duration, right=True),
    Column("p90_ns", "90 %", human=human_duration, right=True),
    Column("longest_ns", "LONGEST", human=human_duration, right=True),
    Column("input_tokens", "TOKENS IN", human=_WHOLE, right=True),
    Column("output_tokens", "OUT", human=_WHOLE, right=True),
    Column("last_at", "LAST", human=human_time),
)

_TROUBLES = (
    Column("code"),
    Column("count", human=_WHOLE, right=True),
    Column("errors", human=_WHOLE, right=True),
    Column("warnings", human=_WHOLE, right=True),
    Column("failures", "FAILED CALLS", human=_WHOLE, right=True),
    Column("session_count", "SESSIONS", human=_WHOLE, right=True),
    Column("last_at", "LAST", human=human_time),
    Column("last_id", "EVENT"),
    Column("names", "OF"),
)

_SEQUENCES = (
    Column("count", human=_WHOLE, right=True),
    Column("session_count", "SESSIONS", human=_WHOLE, right=True),
    Column("tools"),
)

_BUSIEST = (
    Column("id", "SESSION"),
    Column("status", colours=STATUS_COLOURS),
    Column("events", human=_WHOLE, right=True),
    Column("calls", human=_WHOLE, right=True),
    Column("failures", "FAILED", human=_WHOLE, right=True),
    Column("tokens", human=_WHOLE, right=True),
    Column("artifacts", human=_WHOLE, right=True),
    Column("size", human=human_size, right=True),
    Column("duration_ns", "DURATION", human=human_duration, right=True),
    Column("name"),
)


def _patterns(call: Call, arguments: Arguments) -> None:
    answer(call, arguments, lambda store, query: store.patterns(query), _show, _lines)


def _show(call: Call, patterns: Patterns, limit: int | None) -> None:
    most = SHOWN if limit is None else limit
    rest = signs_of(call).rest

    def name(text: str) -> str:
        return fit(text, _NAME_WIDTH, rest) or "-"

    def table(title: str, columns: tuple[Column, ...], records: Sequence[dict[str, Any]]) -> None:
        if not records:
            return
        call.out.text(f"{call.out.colour('bold', title)}\n")
        call.out.table(columns, list(records[:most]))
        if len(records) > most:
            call.out.text(f"and {len(records) - most:,} more; see --limit\n")
        call.out.text("\n")

    for title, uses in (("Tools", patterns.tools), ("Agents", patterns.agents), ("Workflows", patterns.workflows)):
        table(title, _USES, [{**_flat(use), "name": name(use.name)} for use in uses])
    troubles = [one.to_dict() for one in patterns.troubles]
    table("Errors and warnings", _TROUBLES, [
        {**one, "code": name(one["code"]), "names": ", ".join(map(name, one["names"]))} for one in troubles
    ])  # fmt: skip
    table("Tools that follow each other", _SEQUENCES, [
        {"count": one.count, "session_count": one.session_count, "tools": " > ".join(map(name, one.tools))}
        for one in patterns.sequences
    ])  # fmt: skip
    table("Busiest sessions", _BUSIEST, [
        {**{field: getattr(one, field) for field in one.__struct_fields__}, "name": name(one.name or "")}
        for one in patterns.busiest
    ])  # fmt: skip
    if not (patterns.tools or patterns.agents or patterns.workflows or patterns.troubles):
        call.out.text("No tools, agents, workflows or errors were recorded; see: sessionfs record --help\n")


def _flat(use: Use) -> dict[str, Any]:
    """Return a use with its durations beside the other numbers."""
    durations = {} if use.durations is None else use.durations.to_dict()
    return {**use.to_dict(), **{name: durations.get(name) for name in _DURATIONS}}


def _lines(call: Call, patterns: Patterns) -> None:
    """Write the same for scripts: what it is about, its name, and numbers."""
    for kind, uses in (("tool", patterns.tools), ("agent", patterns.agents), ("workflow", patterns.workflows)):
        for use in map(_flat, uses):
            durations = ("" if use[name] is None else use[name] for name in _DURATIONS)
            counts = (use[name] for name in ("calls", "failures", "session_count"))
            call.out.line(kind, use["name"], *counts, *durations, use["input_tokens"], use["output_tokens"])
    for one in patterns.troubles:
        numbers = (one.count, one.errors, one.warnings, one.failures, one.session_count)
        call.out.line("error", one.code, *numbers, one.last_id, *one.names)
    for sequence in patterns.sequences:
        call.out.line("sequence", sequence.count, sequence.session_count, *sequence.tools)
    for busy in patterns.busiest:
        values = (getattr(busy, field) for field in busy.__struct_fields__ if field not in ("id", "name"))
        call.out.line("session", busy.id, *("" if value is None else value for value in values), busy.name or "")


VERBS = {
    "patterns": Verb(
        _patterns,
        about="How tools, agents and workflows were used - calls, failures, sessions, how long calls took (on average, "
        "half of them, 90 % of them, the longest), tokens; errors, warnings and failures by their codes, with the "
        "latest event; the sequences of tools that occur most, two to five calls long; and the busiest sessions. When "
        "standard output is no terminal: lines that begin with tool, agent, workflow, error, sequence or session. "
        "--html writes the page that 'stats --html' writes.",
        positionals=(QUERY,),
        options=(
            HTML,
            Option(
                "--limit", "Show so many lines of each table on a terminal; 15 by default", metavar="N", number=True
            ),
        ),
        examples=(
            ("patterns after:7d", "of the sessions of the last week"),
            ("patterns | grep ^error", "what went wrong, and how often"),
            ("patterns --json | jq '.tools[] | select(.failure_rate > 0.1).name'", "tools that fail often"),
            ("patterns --html report.html", "a page with charts"),
        ),
        exits={2: "The query cannot be understood; the message says at which column."},
    ),
}
