"""What the README lists, it lists completely."""

from __future__ import annotations

import re
from pathlib import Path

from sessionfs.cli.verbs import FAMILIES, MODULE_OF, USUAL
from sessionfs.events.types import TYPES

README = Path(__file__).parents[2] / "README.md"

_CODE = re.compile(r"`([^`]+)`")


def _section(heading: str) -> str:
    return README.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _verbs(row: str) -> list[str]:
    """Return the verbs in the first cell of a row: after `trash list`, `empty` is `trash empty`."""
    verbs, family = [], ""
    for words in map(str.split, _CODE.findall(re.split(r"(?<!\\)\|", row)[1])):
        if words[0] in FAMILIES:
            family = words[0]
            name = " ".join(words[:2])
            verbs.append(name if name in MODULE_OF else USUAL[family])
        else:
            name = f"{family} {words[0]}"
            verbs.append(name if name in MODULE_OF else words[0])
    return verbs


def test_every_verb_stands_in_the_readme_and_no_other():
    rows = [line for line in _section("Verbs").splitlines() if line.startswith("| `")]
    assert {verb for row in rows for verb in _verbs(row)} == set(MODULE_OF)


def test_every_type_of_event_stands_in_the_readme():
    listed = set()
    for words in map(str.split, _CODE.findall(_section("Events").partition("```")[0])):
        kind = words[0].partition(".")[0]
        listed |= {words[0], *(f"{kind}.{word}" for word in words[1:])}
    assert set(TYPES) <= listed
