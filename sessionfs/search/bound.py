"""A regular expression as it is when it looks at many lines at once, and must not leave the one it begins in.

Line by line, no line feed is ever seen. To search a block of lines with one call is faster by far; then what could
match a line feed must not: ``[^,]`` becomes ``[^\\n,]``, and ``\\s`` becomes ``[^\\S\\n]``. An expression that cannot
match one does in each line of a block what it does in the line alone. What is not sure is tried line by line.
"""

from __future__ import annotations

import re

# What matches a line feed among others, and what it becomes.
_CLASSES = {"s": r"[^\S\n]", "W": r"[^\w\n]", "D": r"[^\d\n]"}
_SAFE_IN_SET = frozenset("wdSbrtfva") | frozenset(r".^$*+?{}[]()|\/-'\"#&~%@!,;:<>=_ `")
_SAFE_ESCAPES = _SAFE_IN_SET | frozenset("123456789")
_COUNT = re.compile(r"\{\d*,?\d*\}")  # other braces may say how much what matches may differ
_SAFE_GROUP = re.compile(r"\(\?(:|=|!|<=|<!|>|i\)|i:|P?<\w+>|P=\w+\))")


def bind_to_lines(source: str) -> str | None:
    """Return *source* so that it cannot match a line feed; None when that is not sure."""
    parts: list[str] = []
    at = 0
    while at < len(source):
        sign = source[at]
        if sign == "\\":
            escaped = source[at + 1 : at + 2]
            if escaped not in _CLASSES and escaped not in _SAFE_ESCAPES:
                return None
            parts.append(_CLASSES.get(escaped, sign + escaped))
            at += 2
        elif sign == "[":
            found = _bind_set(source, at)
            if found is None:
                return None
            text, at = found
            parts.append(text)
        elif sign == "(" and source.startswith("(?", at):
            group = _SAFE_GROUP.match(source, at)
            if group is None:
                return None
            parts.append(group[0])
            at = group.end()
        elif sign == "{":
            count = _COUNT.match(source, at)
            if count is None:
                return None
            parts.append(count[0])
            at = count.end()
        elif sign == "\n":
            return None
        else:
            parts.append(sign)
            at += 1
    return "".join(parts)


def _bind_set(source: str, begin: int) -> tuple[str, int] | None:
    """Return the set that begins at *begin*, without the line feed, and the place behind it; None when not sure."""
    negated = source.startswith("[^", begin)
    first = at = begin + (2 if negated else 1)
    while at < len(source) and (source[at] != "]" or at == first):
        if source[at] == "[":
            return None
        if source[at] == "\\":
            # In a set digits are the code of a character, and a range may begin with one before the line feed.
            if not negated and (source[at + 1 : at + 2] not in _SAFE_IN_SET or _begins_range(source, at + 2)):
                return None
            at += 1
        elif source[at] <= "\n":
            return None
        at += 1
    if at >= len(source):
        return None
    inside = source[first:at]
    if inside.startswith("]"):
        inside = "\\" + inside  # it is one of the set, also where it is not the first any more
    return (f"[^\\n{inside}]" if negated else f"[{inside}]"), at + 1


def _begins_range(source: str, at: int) -> bool:
    return source[at : at + 1] == "-" and source[at + 1 : at + 2] != "]"
