"""What a file probably is: its mime type from its name, or else from its first bytes; its type from its mime type."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

SNIFFED_BYTES = 4096

UNKNOWN = "application/octet-stream"

# What the standard library's table lacks, or names less usefully.
_BY_ENDING = {
    ".cfg": "text/x-ini",
    ".go": "text/x-go",
    ".gz": "application/gzip",
    ".bz2": "application/x-bzip2",
    ".xz": "application/x-xz",
    ".zst": "application/zstd",
    ".ini": "text/x-ini",
    ".ipynb": "application/x-ipynb+json",
    ".java": "text/x-java",
    ".jsonl": "application/jsonl",
    ".log": "text/x-log",
    ".md": "text/markdown",
    ".ndjson": "application/jsonl",
    ".onnx": "application/x-onnx",
    ".parquet": "application/vnd.apache.parquet",
    ".pt": "application/x-pytorch",
    ".rs": "text/x-rust",
    ".safetensors": "application/x-safetensors",
    ".sql": "application/sql",
    ".sqlite": "application/vnd.sqlite3",
    ".toml": "application/toml",
    ".ts": "text/x-typescript",
    ".webp": "image/webp",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}

_BY_FIRST_BYTES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x7fELF", "application/x-executable"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"#!", "text/x-script"),
    (b"<?xml", "text/xml"),
    (b"<!DOCTYPE html", "text/html"),
)

_TYPE_BY_MIME = {
    "application/json": "data",
    "application/pdf": "document",
    "application/toml": "config",
    "application/x-executable": "code",
    "application/x-onnx": "model",
    "application/x-pytorch": "model",
    "application/x-safetensors": "model",
    "application/yaml": "config",
    "application/javascript": "code",
    "application/sql": "code",
    "text/csv": "data",
    "text/css": "code",
    "text/html": "document",
    "text/javascript": "code",
    "text/markdown": "document",
    "text/plain": "document",
    "text/tab-separated-values": "data",
    "text/x-ini": "config",
    "text/x-log": "log",
    "text/xml": "data",
    "text/x-rst": "document",
}

_TYPE_BY_FAMILY = {"image": "image", "audio": "audio", "video": "video", "text": "code"}


def guess_by_name(name: str) -> str | None:
    """Return the mime type that *name*'s ending stands for, if it is known."""
    dot = name.rfind(".")
    return _guess_by_ending(name[dot:].lower()) if dot > 0 else None


def guess_by_content(head: bytes) -> str:
    """Return the mime type that content starting with *head* (up to 4,096 bytes of it) seems to have."""
    for magic, mime_type in _BY_FIRST_BYTES:
        if head.startswith(magic):
            return mime_type
    if head[:4] == b"RIFF" and head[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}[head[8:12]]
    if head[4:8] == b"ftyp":
        return "video/mp4"
    return "text/plain" if head and _is_text(head) else UNKNOWN


def guess_type(mime_type: str) -> str:
    """Return the artifact type that goes with *mime_type* when nobody set one."""
    known = _TYPE_BY_MIME.get(mime_type)
    if known is not None:
        return known
    return _TYPE_BY_FAMILY.get(mime_type.partition("/")[0], "data")


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as failure:
        # The head may end in the middle of a character.
        return failure.start >= len(head) - 3 and failure.reason == "unexpected end of data"
    return True


@lru_cache(maxsize=1024)
def _guess_by_ending(ending: str) -> str | None:
    return _BY_ENDING.get(ending) or _standard_table().get(ending)


@lru_cache(maxsize=1)
def _standard_table() -> dict[str, Any]:
    import mimetypes

    # The library's own table, not the machine's files: the same name means the same everywhere.
    return mimetypes.MimeTypes(filenames=()).types_map[True]
