"""``stats``: how many, how large, how long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.report_file import HTML, report_file, write_report
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import STATUS_COLOURS, Column, human_size
from sessionfs.shown import human_duration, printable

if TYPE_CHECKING:
    from sessionfs.analytics.durations import Durations
    from sessionfs.analytics.space import Sizes
    from sessionfs.analytics.stats import Stats
    from sessionfs.api import Store


class _Told(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


_Numbers = TypeVar("_Numbers", bound=_Told)

SHOWN = 15
_WHOLE = "{:,}".format

_DAYS = (
    Column("date", "DAY"),
    Column("sessions", human=_WHOLE, right=True),
    Column("failed", human=_WHOLE, right=True),
    Column("artifacts", human=_WHOLE, right=True),
    Column("size", human=human_size, right=True),
    Column("calls", human=_WHOLE, right=True),
    Column("failures", human=_WHOLE, right=True),
    Column("errors", human=_WHOLE, right=True),
)


def _stats(call: Call, arguments: Arguments) -> None:
    answer(call, arguments, lambda store, query: store.stats(query), _show, _lines)


def answer(
    call: Call,
    arguments: Arguments,
    read: Callable[[Store, str], _Numbers],
    show: Callable[[Call, _Numbers, int | None], None],
    write_lines: Callable[[Call, _Numbers], None],
) -> None:
    """Print what *read* gives for the query: by *show* for people, by *write_lines* in a pipe; or write the report."""
    query = " ".join(arguments.texts("QUERY"))
    file = report_file(call, arguments)
    with call.open_store() as store:
        refresh(call, store)
        if file is not None:
            write_report(call, file, store.report(query))
            return
        numbers = read(store, query)
    if call.out.as_json:
        call.out.document(numbers.to_dict())
    elif call.out.is_terminal:
        show(call, numbers, arguments.number("limit"))
    else:
        write_lines(call, numbers)


def refresh(call: Call, store: Store) -> None:
    """Bring the index up to date, with a progress bar if that takes long."""
    with call.progress("reading logs", in_bytes=True) as progress:
        store.index.refresh(progress.reach)


def _show(call: Call, stats: Stats, limit: int | None) -> None:
    most = SHOWN if limit is None else limit
    statuses = ", ".join(
        f"{count:,} {call.out.colour(STATUS_COLOURS.get(status, ''), status)}"
        for status, count in stats.by_status.items()
        if count
    )
    rows = {
        "sessions": f"{stats.session_count:,}" + (f": {statuses}" if statuses else ""),
        "tags": _counts(stats.by_tag, most) + (f"; {stats.untagged_count:,} without" if stats.untagged_count else ""),
        "artifacts": f"{stats.artifact_count:,} ({human_size(stats.sizes.size)}), {stats.version_count:,} versions "
        f"({human_size(stats.sizes.versions_size)}); {stats.artifacts_per_session:,.1f} a session",
        "types": _counts({one.type: one.count for one in stats.by_type}, most),
        "events": f"{stats.event_count:,} records; {stats.events_per_session:,.1f} a session",
        "recorded": _counts(stats.by_event, most),
        "stored": _stored(stats.sizes),
        "saved": f"{human_size(stats.sizes.deduplicated)} by deduplication, {human_size(stats.sizes.compressed)} by "
        "compression",
        "durations": "-" if stats.durations is None else _durations(stats.durations),
    }
    if stats.damaged_count:
        rows["damaged"] = f"{stats.damaged_count:,} sessions, of which what can be read is counted; see sessionfs fsck"
    width = max(map(len, rows))
    for name, text in rows.items():
        call.out.text(f"{call.out.colour('bold', name.ljust(width))}  {text or '-'}\n")
    days = stats.days[-most:] if most else ()
    if days:
        call.out.text("\n")
        call.out.table(_DAYS, [{name: getattr(one, name) for name in one.__struct_fields__} for one in days])
    if len(days) < len(stats.days):
        call.out.text(f"and {len(stats.days) - len(days):,} days before; see --limit\n")


def _counts(counts: dict[str, int], most: int) -> str:
    shown = [f"{count:,} {printable(name)}" for name, count in list(counts.items())[:most]]
    if len(counts) > len(shown):
        shown.append(f"{len(counts) - len(shown):,} others")
    return ", ".join(shown)


def _stored(sizes: Sizes) -> str:
    packed = (
        f", {sizes.packed_count:,} ({human_size(sizes.packed_size)}) of them in packs" if sizes.packed_count else ""
    )
    return (
        f"{human_size(sizes.stored)} ({human_size(sizes.allocated)} on the disk) in {sizes.object_count:,} objects"
        f"{packed}"
    )


def _durations(durations: Durations) -> str:
    return (
        f"{durations.count:,} ended: {human_duration(durations.average_ns)} on average, half within "
        f"{human_duration(durations.median_ns)}, 90 % within {human_duration(durations.p90_ns)}, 99 % within "
        f"{human_duration(durations.p99_ns)}, the longest {human_duration(durations.longest_ns)}"
    )


def _lines(call: Call, stats: Stats) -> None:
    """Write the same for scripts: what is counted, by what, and numbers."""
    for field in ("session_count", "untagged_count", "damaged_count", "artifact_count", "version_count", "event_count"):
        call.out.line(field, getattr(stats, field))
    for field in ("by_status", "by_tag", "by_event"):
        for name, count in getattr(stats, field).items():
            call.out.line(field, name, count)
    for one in stats.by_type:
        call.out.line("by_type", one.type, one.count, one.size)
    for name, number in stats.sizes.to_dict().items():
        call.out.line("sizes", name, number)
    for name, number in ({} if stats.durations is None else stats.durations.to_dict()).items():
        call.out.line("durations", name, number)
    for one_day in stats.days:
        call.out.line("day", *(getattr(one_day, name) for name in one_day.__struct_fields__))


QUERY = Positional("QUERY", "Which sessions, as for 'find --sessions'; all by default", count="*")

VERBS = {
    "stats": Verb(
        _stats,
        about="Sessions by status and tag, artifacts by type, events, what content takes and what deduplication and "
        "compression save, how long sessions took that have ended, and what happened on each day (UTC). Versions are "
        "the artifacts that are there and what was there once; what is stored is what they all take, as 'du' says it. "
        "When standard output is no terminal: lines of what is counted, by what, and numbers. --html writes these "
        "numbers, those of 'patterns' and 'du', and the timelines of the busiest sessions.",
        positionals=(QUERY,),
        options=(
            HTML,
            Option(
                "--limit", "Show so many tags, types and days on a terminal; 15 by default", metavar="N", number=True
            ),
        ),
        examples=(
            ("stats", "the whole store"),
            ("stats status:failed after:7d", "what failed in the last week"),
            ("stats tag:nightly --html nightly.html", "a page with charts"),
            ("stats --json | jq .durations.p90_ns", "for a monitor"),
        ),
        exits={2: "The query cannot be understood; the message says at which column."},
    ),
}
