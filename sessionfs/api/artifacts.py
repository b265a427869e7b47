"""The artifacts of a session, as a mapping with verbs."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterable
from typing import IO, Any, BinaryIO, cast

import msgspec

from sessionfs.api.artifact import URL_MIME_TYPE, Artifact, BadContent
from sessionfs.api.files import ArtifactFile, parse_mode, wrap
from sessionfs.api.reading import ArtifactsView, Path
from sessionfs.artifacts import ArtifactExists, IsADirectory, Node, check_path, mime, text_of
from sessionfs.objects import Staged, Stored
from sessionfs.state import encode_value
from sessionfs.store.artifacts import check_artifact_size
from sessionfs.store.session import Session

Content = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO | dict[str, Any] | list[Any]

_READ_BYTES = 1 << 20


class Artifacts(ArtifactsView):
    """Paths and artifacts. Iteration gives what is not a directory, sorted; directories can be asked for by path.

    Thread-safe. ``**attributes`` of the verbs below are ``type``, ``mime_type``, ``description``, ``tags``,
    ``metadata``, ``mode``, ``uid``, ``gid``, ``mtime_ns``, ``parent`` (the artifact it was made from, or its id) and,
    where content is stored, ``created_by``, ``if_match`` (only if the content there has this oid now) and
    ``if_none_match`` (true: only if nothing is there); otherwise it is a Conflict, and nothing was changed.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, session)
        self._session = session

    # Storing

    def put(self, path: Path, data: Content, **attributes: Any) -> Artifact:
        """Store *data* at *path*, as its next version.

        Args:
            data: Bytes; text (UTF-8); a path (what the file there holds); an open binary file (all it gives);
                a dict or list (as JSON).

        Raises:
            Conflict: A limit of config.toml, or the disk is full; nothing was changed.
            Denied: The session is not active.
            InvalidInput: The path or an attribute cannot be what was given, or a directory is there.
        """
        checked = check_path(path)
        if isinstance(data, str):
            data = _encode(data)
        if isinstance(data, dict | list):
            return self.put_json(checked, data, **attributes)
        if isinstance(data, bytes | bytearray | memoryview):
            check_artifact_size(self._session.config.max_artifact_bytes, len(data))
            return self._put(
                checked, self._session.objects.put_bytes(data), bytes(data[: mime.SNIFFED_BYTES]), attributes
            )
        if isinstance(data, os.PathLike):
            return self.put_file(data, checked, **attributes)
        if hasattr(data, "read"):
            source = _Limited(data, self._session.config.max_artifact_bytes)
            stored = self._session.objects.put_stream(cast(BinaryIO, source))
            return self._put(checked, stored, source.head, attributes)
        raise BadContent(f"content is bytes, text, a path, an open file, a dict or a list; not {type(data).__name__}")

    def put_file(self, source: str | os.PathLike[str], path: Path | None = None, **attributes: Any) -> Artifact:
        """Store the file *source*, with its mode and time, at *path* (its own name by default).

        Raises:
            OSError: *source* cannot be read.
        """
        checked = check_path(os.path.basename(os.fspath(source)) if path is None else path)
        with open(source, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            check_artifact_size(self._session.config.max_artifact_bytes, status.st_size)
            head = os.pread(file.fileno(), mime.SNIFFED_BYTES, 0) if stat.S_ISREG(status.st_mode) else b""
        stored = self._session.objects.put_file(source)
        attributes = {"mode": stat.S_IMODE(status.st_mode), "mtime_ns": status.st_mtime_ns, **attributes}
        return self._put(checked, stored, head, attributes)

    def put_tree(
        self,
        source: str | os.PathLike[str],
        path: Path = "",
        *,
        progress: Callable[[str, int], None] | None = None,
        **attributes: Any,
    ) -> int:
        """Store the directory *source*, with all that is in it, at *path* ("" is the session's root).

        Files, directories and symbolic links are kept, with modes and times; other kinds are refused, before anything
        is stored. Each file is stored by itself, and all of them are one operation: what came before a failure stays,
        and one undo takes it back.

        Args:
            progress: Called after each file with its path and size in bytes.

        Returns:
            How many artifacts were stored, directories left out.

        Raises:
            BadContent: There is something of another kind; nothing was stored.
            OSError: Something cannot be read; what came before it is stored, as with all that :meth:`put` raises.
        """
        root = check_path(path) if path else ""
        _check_kinds(os.fspath(source))
        with self._session.operation():
            return _TreeImport(self, attributes, progress).run(os.fspath(source), root)

    def put_json(self, path: Path, value: Any, **attributes: Any) -> Artifact:
        """Store *value* as indented JSON text."""
        text = msgspec.json.format(encode_value(value), indent=2) + b"\n"
        return self.put(path, text, **{"mime_type": "application/json", **attributes})

    def put_url(self, path: Path, url: str, **attributes: Any) -> Artifact:
        """Store a reference to *url*; what is there is not fetched. See :attr:`Artifact.url`."""
        scheme, separator, rest = url.partition(":")
        if not separator or not rest or not scheme.isalnum() or not url.isprintable() or " " in url:
            raise BadContent(f"{url!r} is no URL such as https://example.org/data.csv")
        return self.put(path, url + "\n", **{"mime_type": URL_MIME_TYPE, **attributes})

    def open(
        self,
        path: Path,
        mode: str = "rb",
        *,
        encoding: str | None = None,
        newline: str | None = None,
        **attributes: Any,
    ) -> IO[Any]:
        """Open the artifact at *path* as a file object. What is written becomes one version when it is closed.

        Args:
            mode: As for the built-in ``open``: ``r w a x``, with ``+`` and ``b``.
            attributes: Set together with the new version.

        Raises:
            NotFound: It is not there (``r``).
            Conflict: It is (``x``).
        """
        checked = check_path(path)
        letter, both_ways, text = parse_mode(mode)
        known = self.get(checked)
        if letter == "x" and known is not None:
            raise ArtifactExists(f"there is already a {known.kind} {text_of(checked)!r}")
        if known is not None and known.kind != "file":
            raise IsADirectory(f"{text_of(checked)!r} is a {known.kind}, not a file")
        if letter == "r" and not both_ways:
            return self[checked].open(mode, encoding=encoding, newline=newline)
        if letter == "r":
            known = self[checked]
        self._session.check_writable()
        if both_ways and known is not None and letter in "ra":
            self._session.artifacts.note_retrieved(checked, known.id)
        staged = self._session.objects.stage(None if known is None or letter in "wx" else known.oid)
        raw = ArtifactFile(
            checked,
            staged=staged,
            store=lambda content: self._put_staged(checked, content, attributes),
            readable=both_ways,
            append=letter == "a",
        )
        return wrap(raw, text=text, encoding=encoding, newline=newline)

    # Changing

    def rename(self, path: Path, to: Path) -> Artifact:
        """Move an artifact, or a directory with all that is in it; a file at *to* is replaced."""
        node = self._session.artifacts.rename(check_path(path), check_path(to), make_parents=True)
        return self._seen(node)

    def copy(self, path: Path, to: Path) -> Artifact:
        """Copy an artifact, or a directory with all that is in it. No bytes are copied; the copy names its original."""
        return self._seen(self._session.artifacts.copy(check_path(path), check_path(to)))

    def link(self, path: Path, to: Path) -> Artifact:
        """Make *to* another name of the artifact at *path* (a hard link); one content and one set of attributes."""
        target = check_path(to)
        node = self._session.artifacts.link(check_path(path), target)
        with self._session.log.lock:
            return self._artifact(target, node)

    def delete(self, path: Path, *, recursive: bool = False) -> None:
        """Remove an artifact or an empty directory; with *recursive*, a directory with all that is in it."""
        self._session.artifacts.delete(check_path(path), recursive=recursive)

    def update(self, path: Path, **attributes: Any) -> Artifact:
        """Set attributes, and leave the content. ``metadata`` replaces all there were."""
        return self._seen(self._session.artifacts.change(check_path(path), **_plain(attributes)))

    def tag(self, path: Path, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Artifact:
        """Add and remove tags."""
        added, removed = _texts(add), set(_texts(remove))
        with self._session.writing():
            known = self._session.tree.resolve(check_path(path)).tags
            tags = [tag for tag in (*known, *added) if tag not in removed]
            return self.update(path, tags=tags)

    def make_directory(self, path: Path, *, exist_ok: bool = False, **attributes: Any) -> Artifact:
        """Make a directory, and those above it."""
        return self._seen(self._session.artifacts.make_directory(check_path(path), exist_ok=exist_ok, **attributes))

    def make_symlink(self, path: Path, target: str, **attributes: Any) -> Artifact:
        """Make a symbolic link; *target* need not exist."""
        return self._seen(self._session.artifacts.make_symlink(check_path(path), target, **attributes))

    # Inside

    def _seen(self, node: Node) -> Artifact:
        with self._session.log.lock:
            return self._artifact(node.path, node)

    def _put(self, path: str, stored: Stored, head: bytes, attributes: dict[str, Any]) -> Artifact:
        return self._seen(self._session.artifacts.put(path, stored, head=head, **_plain(attributes)))

    def _put_staged(self, path: str, staged: Staged, attributes: dict[str, Any]) -> None:
        check_artifact_size(self._session.config.max_artifact_bytes, staged.size)
        self._put(path, staged.finish(), staged.pread(mime.SNIFFED_BYTES, 0), attributes)


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as failure:
        raise BadContent(f"the text cannot be UTF-8: {failure}; give bytes for content that is no text") from failure


class _Limited(io.RawIOBase):
    """Passes reads on, keeps the first bytes, and stops content that is larger than is allowed."""

    def __init__(self, source: Any, limit_bytes: int | None) -> None:
        self.head = b""
        self._source = source
        self._limit_bytes = limit_bytes
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, _READ_BYTES))
        if not isinstance(data, bytes):
            raise BadContent("an open file must be open for bytes: mode 'rb'")
        if len(self.head) < mime.SNIFFED_BYTES:
            self.head += data[: mime.SNIFFED_BYTES - len(self.head)]
        self._size += len(data)
        check_artifact_size(self._limit_bytes, self._size)
        return data


class _TreeImport:
    """One :meth:`Artifacts.put_tree`."""

    def __init__(
        self,
        artifacts: Artifacts,
        attributes: dict[str, Any],
        progress: Callable[[str, int], None] | None,
    ) -> None:
        self._artifacts = artifacts
        self._attributes = attributes
        self._progress = progress
        self._count = 0

    def run(self, source: str, path: str) -> int:
        if path:
            self._directory(source, path)
        else:
            self._entries(source, path)
        return self._count

    def _directory(self, source: str, path: str) -> None:
        self._artifacts.make_directory(path, exist_ok=True)
        self._entries(source, path)
        # Last, because every entry moved the time.
        status = os.stat(source)
        known = self._artifacts[path]
        attributes = {"mode": stat.S_IMODE(status.st_mode), "mtime_ns": status.st_mtime_ns}
        if (known.mode, known.mtime_ns) != (attributes["mode"], attributes["mtime_ns"]):
            self._artifacts.update(path, **attributes)

    def _entries(self, source: str, path: str) -> None:
        with os.scandir(source) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                self._entry(entry, f"{path}/{entry.name}" if path else entry.name)

    def _entry(self, entry: os.DirEntry[str], path: str) -> None:
        kind = _kind_of(entry)
        if kind == "directory":
            self._directory(entry.path, path)
            return
        if kind == "symlink":
            known = self._artifacts.get(path)
            if known is not None and known.kind == "symlink":
                self._artifacts.delete(path)
            mtime_ns = entry.stat(follow_symlinks=False).st_mtime_ns
            self._artifacts.make_symlink(path, os.readlink(entry.path), mtime_ns=mtime_ns)
            size = 0
        else:
            size = self._artifacts.put_file(entry.path, path, **self._attributes).size
        self._count += 1
        if self._progress is not None:
            self._progress(path, size)


def _check_kinds(source: str) -> None:
    """Check that everything in the directory *source* can be stored.

    Raises:
        BadContent: There is something that cannot.
    """
    with os.scandir(source) as entries:
        for entry in entries:
            if _kind_of(entry) == "directory":
                _check_kinds(entry.path)


def _kind_of(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "symlink"
    if entry.is_dir():
        return "directory"
    if entry.is_file():
        return "file"
    raise BadContent(f"{entry.path} is neither a file, a directory nor a symbolic link; leave it out")


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return *attributes* with a parent artifact replaced by its id."""
    parent = attributes.get("parent")
    return {**attributes, "parent": parent.id} if isinstance(parent, Artifact) else attributes


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else tuple(texts)
