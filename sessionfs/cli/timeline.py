"""``timeline``: what a session did, against time."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.report_file import HTML, report_file, write_report
from sessionfs.cli.spec import CURRENT_SESSION, Option, Verb


def _timeline(call: Call, arguments: Arguments) -> None:
    file = report_file(call, arguments)
    with call.open_store() as store:
        session = call.session(store, arguments.maybe("SESSION"))
        with call.progress("reading logs", in_bytes=True) as progress:
            store.index.refresh(progress.reach)
        timeline = session.timeline()
    if file is not None:
        from sessionfs.analytics.report import Report, format_report

        write_report(call, file, format_report(Report(title=f"Session {session.id}", timelines=(timeline,))))
    elif call.out.as_json:
        call.out.document(timeline.to_dict())
    else:
        from sessionfs.cli.drawing import signs_of
        from sessionfs.cli.timeline_picture import draw

        for line in draw(timeline, _width(call, arguments), signs_of(call), call.out.colour):
            call.out.text(line + "\n")


def _width(call: Call, arguments: Arguments) -> int:
    from sessionfs.cli.drawing import MAX_WIDTH, MIN_WIDTH, width_of

    width = arguments.number("width")
    if width is None:
        return width_of(call)
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise UsageError(f"--width is {MIN_WIDTH} to {MAX_WIDTH:,} places; {width} was given")
    return width


VERBS = {
    "timeline": Verb(
        _timeline,
        about="A line for each agent, tool and workflow, with how often it ran and failed, one for artifacts (the "
        "higher, the more were stored), and one each for errors, warnings and other events; children and what "
        "descends from them come below. Time goes from left to right; where nothing happens for long, it is cut out. "
        "Calls are shown from when they began, if they were recorded with a duration. The picture is as wide as the "
        "terminal, or $COLUMNS, or 80 places; in ASCII where the locale has no UTF-8.",
        positionals=(CURRENT_SESSION,),
        options=(Option("--width", "So many places, 20 to 1,000", metavar="N", number=True), HTML),
        examples=(
            ("timeline", "the current session"),
            ("timeline q4 --html q4.html", "the same picture as a page for a browser"),
            ("timeline q4 --json | jq '.sessions[0].lanes[].name'", "what ran"),
        ),
        exits={3: "There is no such session."},
    ),
}
