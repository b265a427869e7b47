"""The completion script for fish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli.spec import GLOBAL_OPTIONS, Option, Positional
from sessionfs.cli.verbs import ABOUT, FAMILIES

if TYPE_CHECKING:
    from sessionfs.cli.completion import Completed

_ACTIONS = {
    "session": "(__sessionfs_sessions)",
    "artifact": "(__sessionfs_artifacts)",
    "key": "(__sessionfs_keys)",
    "template": "(__sessionfs_ask template list | cut -f1)",
    "directory": "(__fish_complete_directories (commandline -ct))",
}

_ENGINE = r"""
# Prints the words before the cursor that are neither options nor their values, one per line.
function __sessionfs_words
    set -l skip
    for word in (commandline -opc)[2..]
        if set -q skip[1]
            set -e skip
        else if contains -- $word $__sessionfs_valued
            set skip yes
        else if not string match -q -- '-?*' $word
            echo -- $word
        end
    end
end

# Runs sessionfs for the store that the line names.
function __sessionfs_ask
    set -l tokens (commandline -opc)
    set -l index (contains -i -- --store $tokens)
    and sessionfs --store $tokens[(math $index + 1)] $argv 2>/dev/null
    or sessionfs $argv 2>/dev/null
end

# Whether the verb $argv[1] is complete, and, if $argv[2] is given, so many of its arguments are.
function __sessionfs_in
    set -l words (__sessionfs_words)
    set -l length (count (string split ' ' -- $argv[1]))
    test (count $words) -ge $length; or return 1
    test "$words[1..$length]" = "$argv[1]"; or return 1
    set -q argv[2]; or return 0
    set -l given (math (count $words) - $length)
    test "$argv[3]" = more -a $given -ge $argv[2]; or test $given -eq $argv[2]
end

function __sessionfs_none
    test (count (__sessionfs_words)) -eq 0
end

function __sessionfs_session
    set -l words (__sessionfs_words)
    echo -- $words[3]
end

function __sessionfs_sessions
    printf '@\tthe current session\n'
    __sessionfs_ask session list | string replace -r '^([^\t]*)\t[^\t]*\t([^\t]*)\t.*' '$1\t$2'
end

function __sessionfs_artifacts
    set -l directory (string match -r '.*(?=/)' -- (commandline -ct))
    __sessionfs_ask artifact list -l (__sessionfs_session) $directory |
        string replace -r '^directory\t.*\t([^\t]*)$' '$1/' | string replace -r '^.*\t' ''
end

function __sessionfs_keys
    __sessionfs_ask state list (__sessionfs_session) | string replace -r '\t.*' ''
end

complete -c sessionfs -f
"""


def format_fish(verbs: list[Completed]) -> str:
    """Return the script: one ``complete`` per word, option and place."""
    valued = sorted({name for verb in verbs for option in verb.options if option.metavar for name in option.names})
    lines = [_option("", option) for option in GLOBAL_OPTIONS]
    for name in dict.fromkeys(verb.name.split()[0] for verb in verbs):
        about = ABOUT.get(name) or FAMILIES[name]
        lines.append(f"complete -c sessionfs -n __sessionfs_none -a {name} -d {_quoted(about)}")
    for family in FAMILIES:
        for verb in verbs:
            if verb.name.startswith(family + " "):
                word = verb.name.split()[1]
                lines.append(f"complete -c sessionfs -n '__sessionfs_in {family} 0' -a {word} -d {_quoted(verb.about)}")
    for verb in verbs:
        lines += [_option(verb.name, option) for option in verb.options if option not in GLOBAL_OPTIONS]
        lines += [_positional(verb.name, index, place) for index, place in enumerate(verb.positionals)]
    head = "# fish completion for sessionfs, made by: sessionfs completion fish\n\n"
    return f"{head}set -g __sessionfs_valued {' '.join(valued)}\n{_ENGINE}" + "\n".join(filter(None, lines)) + "\n"


def _option(verb: str, option: Option) -> str:
    parts = ["complete -c sessionfs"]
    if verb:
        parts.append(f"-n '__sessionfs_in \"{verb}\"'")
    for name in option.names:
        parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.metavar:
        parts.append("-x")
        action = _action(option.choices, option.complete)
        if action:
            parts.append(f"-a {_quoted(action)}")
    parts.append(f"-d {_quoted(option.help)}")
    return " ".join(parts)


def _positional(verb: str, index: int, positional: Positional) -> str:
    more = " more" if positional.count in "*+" else ""
    condition = f"-n '__sessionfs_in \"{verb}\" {index}{more}'"
    if positional.complete == "file":
        return f"complete -c sessionfs {condition} -F"
    action = _action(positional.choices, positional.complete)
    return f"complete -c sessionfs {condition} -a {_quoted(action)}" if action else ""


def _action(choices: tuple[str, ...], complete: str) -> str:
    return " ".join(choices) if choices else _ACTIONS.get(complete, "")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
