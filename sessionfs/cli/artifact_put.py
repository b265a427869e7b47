"""``artifact put``: files, directories and standard input become artifacts."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import SESSION, Option, Positional, Verb
from sessionfs.cli.tables import Column, human_size
from sessionfs.cli.values import DESCRIPTION, META, TAG, parse_metadata

if TYPE_CHECKING:
    from sessionfs.api import Artifact, Artifacts
    from sessionfs.cli.progress import Progress

STDIN = "-"

TYPE = Option(
    "--type",
    "user_input, tool_result, agent_output, system_generated, code, data, model, document, image, audio, video, log, "
    "config or a word of your own; guessed from the mime type by default",
    metavar="TYPE",
)
MIME = Option("--mime", "The mime type; guessed from name and content by default", metavar="TYPE/SUBTYPE")

_COLUMNS = (
    Column("version", right=True),
    Column("size", human=human_size, right=True),
    Column("oid"),
    Column("path"),
)

_WATCHED_BYTES = 64 << 20  # about half a second

# A terminal shows the artifacts that were stored one by one up to here, beyond it their number.
_SHOWN_ONE_BY_ONE = 20


class Source(NamedTuple):
    """One thing to store, and where."""

    path: str  # STDIN, or absolute
    target: str  # "" is the session's root, for a directory
    status: os.stat_result | None  # None for STDIN

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)

    @property
    def size(self) -> int:
        """Its length in bytes, 0 if nobody knows."""
        return self.status.st_size if self.status is not None else 0

    @property
    def is_regular(self) -> bool:
        """Whether it is a file that can be read more than once."""
        return self.status is not None and stat.S_ISREG(self.status.st_mode)


def _put(call: Call, arguments: Arguments) -> None:
    attributes = _attributes(arguments)
    sources = _sources(call, arguments.texts("PATH"), arguments.maybe("as"))
    if "if_match" in attributes and (len(sources) > 1 or sources[0].is_directory):
        raise UsageError("--if-match is for a single file")
    with call.open_store() as store:
        for source in sources:
            if source.is_directory:
                check_outside(source.path, store.path)
        session = call.session(store, arguments.text("SESSION"))
        with session.operation(), call.progress("storing", _total_bytes(call, sources), in_bytes=True) as progress:
            stored: list[Artifact] = []
            for source in sources:
                stored += _put_one(call, session.artifacts, source, attributes, progress)
    records = [artifact.to_dict() for artifact in stored]
    if call.out.is_terminal and not call.out.as_json and len(records) > _SHOWN_ONE_BY_ONE:
        total = sum(artifact.size for artifact in stored)
        call.out.text(f"{len(records):,} artifacts stored, {human_size(total)}\n")
    else:
        call.out.table(_COLUMNS, records)


def _attributes(arguments: Arguments) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for option, field in (("type", "type"), ("mime", "mime_type"), ("description", "description")):
        value = arguments.maybe(option)
        if value is not None:
            attributes[field] = value
    if arguments.flag("tag"):
        attributes["tags"] = arguments.texts("tag")
    if arguments.flag("meta"):
        attributes["metadata"] = parse_metadata(arguments.texts("meta"))
    if arguments.flag("if-match"):
        attributes["if_match"] = arguments.text("if-match")
    if arguments.flag("if-none-match"):
        attributes["if_none_match"] = True
    return attributes


def _sources(call: Call, paths: list[str], name: str | None) -> list[Source]:
    """Return what to store where; every path is looked at first, so that a missing one changes nothing.

    Raises:
        UsageError: --as does not fit the paths, or two of them would become the same artifact.
        OSError: A path is not there.
    """
    if name is not None and len(paths) > 1 and not name.endswith("/"):
        raise UsageError(f"--as {name!r} names one artifact, and {len(paths)} paths were given; end it with '/'")
    sources = []
    for path in paths:
        if path == STDIN:
            if name is None or name.endswith("/"):
                raise UsageError("standard input has no name; give it one with --as NAME")
            sources.append(Source(STDIN, name, None))
        else:
            status = os.stat(call.path(path))
            target = _target(path, name, is_directory=stat.S_ISDIR(status.st_mode))
            sources.append(Source(call.path(path), target, status))
    targets = [source.target for source in sources]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"two of the paths would both become {target!r}; put them one by one, with --as")
    return sources


def _target(path: str, name: str | None, *, is_directory: bool) -> str:
    own_name = os.path.basename(os.path.normpath(path))
    if own_name in (".", "..", "") and is_directory:
        own_name = ""  # what is in the directory, as with cp -r
    if name is None:
        return own_name
    return (name + own_name).rstrip("/") if name.endswith("/") else name


def check_outside(directory: str, store_path: str) -> None:
    """Check that *directory* holds neither the store nor a mount: it would be put into itself, and grow meanwhile.

    Raises:
        UsageError: It does.
    """
    from sessionfs.mount.table import list_mounts

    path = os.path.realpath(directory)
    for place in (os.path.realpath(store_path), *(mount.mountpoint for mount in list_mounts())):
        if os.path.commonpath((path, place)) == path:
            raise UsageError(f"{directory} holds {place}, the store or a mount; name what is beside it")


def _put_one(
    call: Call, artifacts: Artifacts, source: Source, attributes: dict[str, Any], progress: Progress
) -> list[Artifact]:
    if source.is_directory:
        paths: list[str] = []

        def note(path: str, size: int) -> None:
            paths.append(path)
            progress.advance(size)

        artifacts.put_tree(source.path, source.target, progress=note, **attributes)
        return [artifacts[path] for path in paths]
    if source.path == STDIN:
        return [artifacts.put(source.target, progress.reading(call.input_bytes()), **attributes)]
    if source.is_regular and source.size < _WATCHED_BYTES:
        artifact = artifacts.put_file(source.path, source.target, **attributes)
        progress.advance(artifact.size)
        return [artifact]
    # A pipe or a device, which can be read once, or a file so large that somebody may want to see it going on.
    if source.status is not None and source.is_regular:
        attributes = {"mode": stat.S_IMODE(source.status.st_mode), "mtime_ns": source.status.st_mtime_ns, **attributes}
    with open(source.path, "rb") as file:
        return [artifacts.put(source.target, progress.reading(file), **attributes)]


def _total_bytes(call: Call, sources: list[Source]) -> int:
    """Return how much there is to store; 0, which is quick, when nobody watches."""
    if not call.stderr.isatty():
        return 0
    total = 0
    for source in sources:
        if not source.is_directory:
            total += source.size
            continue
        for directory, _, names in os.walk(source.path):
            for name in names:
                total += os.lstat(os.path.join(directory, name)).st_size
    return total


VERBS = {
    "artifact put": Verb(
        _put,
        about="Each file becomes an artifact under its own name, or the next version of the one that has it. A "
        "directory is stored with all that is in it; for '.' and the like, what is in it goes to the top of the "
        "session. Each file is stored by itself, and all of them are one operation: what came before a failure stays, "
        "and one undo takes it back. Prints version, size, oid and path of what was stored.",
        positionals=(
            SESSION,
            Positional("PATH", "Files and directories; - is standard input", count="+", complete="file"),
        ),
        options=(
            Option("--as", "The artifact's path; when it ends with '/', the directory for all of them", metavar="NAME"),
            TYPE,
            TAG,
            META,
            MIME,
            DESCRIPTION,
            Option("--if-match", "Only if the content that is there has this oid; for a single file", metavar="OID"),
            Option("--if-none-match", "Only if nothing is there yet, for each file"),
        ),
        examples=(
            ("artifact put @ report.txt --type tool_result --tag q4 --meta author=ada", "stores a file"),
            ("artifact put q4 charts data.csv --as input/", "stores a directory and a file below input/"),
            ("artifact put @ - --as log/build.txt", "stores what it reads from standard input"),
        ),
        exits={
            2: "The request is malformed, or a directory holds what is neither file, directory nor symbolic link.",
            3: "The session or one of the paths is not here.",
            4: "The session is not active, or a file may not be read.",
            5: "A limit of config.toml is reached, the disk is full, or --if-match or --if-none-match is not met.",
        },
    )
}
