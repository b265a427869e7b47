"""Text out of PDF files, in a process of its own: one that is made to take for ever, or all memory, is ended.

It needs the optional package ``pypdf`` (the extra ``documents``).
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

_SECONDS = 30
_MEMORY_BYTES = 2 << 30


def can_read() -> bool:
    """Say whether what reads PDF files is installed."""
    return importlib.util.find_spec("pypdf") is not None


def read_pdf(data: bytes, limit_bytes: int) -> str | None:
    """Return the text of a PDF file; None when there is none, or it cannot be read in time."""
    # -P: no module is imported from the directory in which somebody happens to search.
    command = [sys.executable, "-P", "-m", "sessionfs.search.documents", str(limit_bytes)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode("utf-8", "replace") or None


def _main() -> None:
    """Write the text of the PDF file on standard input to standard output; whatever is wrong with it ends it."""
    import io
    import logging
    import resource

    import pypdf

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    logging.disable()
    left = int(sys.argv[1])
    for page in pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read())).pages:
        text = page.extract_text()[:left].encode("utf-8", "replace") + b"\n"
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        left -= len(text)
        if left <= 0:
            return


if __name__ == "__main__":
    _main()
