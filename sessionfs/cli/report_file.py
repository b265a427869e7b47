"""Writing a report to a file of the user's."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option

HTML = Option(
    "--html",
    "Write one page for a browser, with charts, instead; - is standard output",
    metavar="FILE",
    complete="file",
)


def report_file(call: Call, arguments: Arguments) -> str | None:
    """Return the file that a report is to be written to; None when none is asked for.

    Raises:
        UsageError: ``--json`` was given, too.
    """
    file = arguments.maybe("html")
    if file is not None and call.out.as_json:
        raise UsageError("--html and --json cannot be given together")
    return file


def write_report(call: Call, file: str, page: str) -> None:
    """Write *page* to *file*, which is replaced if it is there; ``-`` is standard output.

    Raises:
        OSError: The file cannot be written.
    """
    if file == "-":
        call.out.raw(page.encode())
        return
    with open(call.path(file), "w", encoding="utf-8") as target:
        target.write(page)
