"""Help texts, made of the table of verbs and of what each verb says about itself."""

from __future__ import annotations

import textwrap

from sessionfs.cli.exits import MEANING
from sessionfs.cli.spec import GLOBAL_OPTIONS, JSON, Option, Positional, Verb
from sessionfs.cli.verbs import ABOUT, FAMILIES, GROUPS, TABLE

WIDTH = 80

VERSION_OPTION = Option("--version", "Print the version")

_ALWAYS = (0, 2)


def format_overview() -> str:
    """Return the help of ``sessionfs`` itself."""
    parts = [
        "usage: sessionfs [--store DIR] [--json] VERB …\n\n"
        "Sessions and the artifacts they produce, kept as plain files, mounted as a filesystem.\n"
    ]
    width = max(len(name) for _, name, _, _ in TABLE)
    for group in GROUPS:
        lines = [f"  {name:{width}}  {about}\n" for kept, name, _, about in TABLE if kept == group]
        parts.append(f"\n{group.upper()}\n" + "".join(lines))
    parts.append("\nOPTIONS\n" + _options((*GLOBAL_OPTIONS, VERSION_OPTION)))
    parts.append("\nEXIT STATUS\n" + _pairs([(str(code), MEANING[code]) for code in MEANING]))
    parts.append("\nsessionfs VERB --help says more about a verb, with examples.\n")
    return "".join(parts)


def format_family(family: str) -> str:
    """Return the help of the first word of verbs that have two."""
    pairs = [(name, about) for _, name, _, about in TABLE if name.startswith(family + " ")]
    return f"usage: sessionfs {family} VERB …\n\n{FAMILIES[family]}.\n\n" + _pairs(pairs)


def format_usage(name: str, verb: Verb) -> str:
    """Return the line that says what *verb* takes."""
    words = [_usage_of(option) for option in verb.options]
    words += [_usage_of_positional(positional) for positional in verb.positionals]
    return textwrap.fill(
        f"usage: sessionfs {name} {' '.join(words)}".rstrip(),
        WIDTH,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )


def format_verb(name: str, verb: Verb) -> str:
    """Return the help of one verb."""
    parts = [format_usage(name, verb), "\n\n", ABOUT[name], ".\n"]
    if verb.about:
        parts += ["\n", textwrap.fill(verb.about, WIDTH), "\n"]
    if verb.positionals:
        pairs = [
            (positional.name, _with_choices(positional.help, positional.choices)) for positional in verb.positionals
        ]
        parts += ["\nARGUMENTS\n", _pairs(pairs)]
    everywhere = (Option("--json", verb.json) if option is JSON else option for option in GLOBAL_OPTIONS)
    parts += ["\nOPTIONS\n", _options((*verb.options, *everywhere))]
    parts.append("\nEXAMPLES\n")
    parts += [f"  sessionfs {command}\n      {what}\n" for command, what in verb.examples]
    codes = sorted({*_ALWAYS, *verb.exits})
    parts += [
        "\nEXIT STATUS\n",
        _pairs([(str(code), verb.exits.get(code) or MEANING[code]) for code in codes]),
    ]
    parts.append("  Others: see sessionfs --help.\n")
    return "".join(parts)


def _usage_of(option: Option) -> str:
    name = option.names[-1]
    text = f"{name} {option.metavar}" if option.metavar else option.names[0]
    return f"[{text}]…" if option.repeat else f"[{text}]"


def _usage_of_positional(positional: Positional) -> str:
    shape = {"1": "{}", "?": "[{}]", "*": "[{}…]", "+": "{}…"}[positional.count]
    return shape.format(positional.name)


def _options(options: tuple[Option, ...]) -> str:
    return _pairs(
        [
            (
                ", ".join(option.names) + f" {option.metavar}".rstrip(),
                _with_choices(option.help, option.choices),
            )
            for option in options
        ]
    )


def _with_choices(text: str, choices: tuple[str, ...]) -> str:
    return f"{text}: {', '.join(choices)}" if choices else text


def _pairs(pairs: list[tuple[str, str]]) -> str:
    """Return two columns, the second one wrapped."""
    width = min(24, max(len(left) for left, _ in pairs))
    lines = []
    for left, right in pairs:
        wrapped = textwrap.wrap(right, WIDTH - width - 4)
        first = f"  {left:{width}}  "
        if len(left) > width:
            lines.append(f"  {left}")
            first = " " * (width + 4)
        lines.append(first + wrapped[0])
        lines += [" " * (width + 4) + line for line in wrapped[1:]]
    return "\n".join(lines) + "\n"
