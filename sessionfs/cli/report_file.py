"""Writing a report to a file of the user's."""

from __future__ import annotations

from sessionfs.cli.arguments import UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option

HTML = Option(
    "--html",
    "Write one page for a browser, with charts, instead; - is standard output",
    metavar="FILE",
    complete="file",
)


def write_report(call: Call, file: str, page: str) -> None:
    """Write *page* to *file*, which is replaced if it is there; ``-`` is standard output.

    Raises:
        UsageError: ``--json`` was given, too.
        OSError: The file cannot be written.
    """
    if call.out.as_json:
        raise UsageError("--html and --json cannot be given together")
    if file == "-":
        call.out.raw(page.encode())
        return
    with open(call.path(file), "w", encoding="utf-8") as target:
        target.write(page)
