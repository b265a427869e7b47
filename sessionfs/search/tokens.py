"""Texts as they are indexed: so that words are found whatever their case and accents, and in scripts without spaces.

SQLite's ``unicode61`` takes letters and digits that stand together as one word, folds case, and takes accents away.
Before that, equal characters are made the same (full width, ligatures, what is composed), and what is written without
spaces between words - Chinese, Japanese, Thai and others; Korean with its endings - becomes one word for each sign.
A word of these is then a phrase: found wherever its characters stand together, also when it has only one.
"""

from __future__ import annotations

import re
import unicodedata

_SPACELESS = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u1100-\u11ff\uac00-\ud7af"  # Korean
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "]"
)

_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Return *text* as it is indexed."""
    if text.isascii():
        return text
    return _SPACELESS.sub(r" \g<0> ", unicodedata.normalize("NFKC", text).casefold())


def as_fts(text: str) -> str:
    """Return *text* as FTS5 is given it: folded; NUL would end it there, and half of a pair is no character."""
    return fold(text).replace("\0", " ").encode("utf-8", "replace").decode()


def has_words(text: str) -> bool:
    """Say whether anything can be found by *text*: it has letters or digits."""
    return _WORD.search(text) is not None


def is_spaceless(sign: str) -> bool:
    """Say whether a character is a word by itself."""
    return _SPACELESS.match(sign) is not None
