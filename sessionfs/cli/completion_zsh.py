"""The completion script for zsh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli.spec import GLOBAL_OPTIONS, Option, Positional
from sessionfs.cli.verbs import ABOUT, FAMILIES

if TYPE_CHECKING:
    from sessionfs.cli.completion import Completed

_ACTIONS = {
    "session": "__sessionfs_sessions",
    "artifact": "__sessionfs_artifacts",
    "key": "__sessionfs_keys",
    "template": "__sessionfs_templates",
    "file": "_files",
    "directory": "_files -/",
}

_ENGINE = r"""
# Runs sessionfs for the store that the line names.
__sessionfs_ask() {
    local -i place=${whole[(I)--store]}
    local -a store
    (( place )) && store=(--store "${(Q)~whole[place + 1]}")
    sessionfs $store "$@" 2>/dev/null
}

__sessionfs_sessions() {
    local -a found
    local id stat name rest
    found=('@:the current session')
    __sessionfs_ask session list | while IFS= read -r rest; do
        id=${rest%%$'\t'*}
        name=${${rest#*$'\t'*$'\t'}%%$'\t'*}
        found+=("${id}:${name}")
    done
    _describe session found
}

__sessionfs_templates() {
    local -a found
    found=(${(f)"$(__sessionfs_ask template list | cut -f1)"})
    _describe template found
}

__sessionfs_artifacts() {
    local -a files directories
    local row directory=${(Q)PREFIX}
    [[ $directory == */* ]] && directory=${directory%/*} || directory=
    __sessionfs_ask artifact list -l "${(Q)line[1]}" ${directory:+$directory} | while IFS= read -r row; do
        if [[ $row == directory$'\t'* ]]; then
            directories+=("${row##*$'\t'}/")
        else
            files+=("${row##*$'\t'}")
        fi
    done
    compadd -S '' -a directories
    compadd -a files
}

__sessionfs_keys() {
    local -a keys
    keys=(${${(f)"$(__sessionfs_ask state list "${(Q)line[1]}")"}%%$'\t'*})
    compadd -a keys
}

if [[ $funcstack[1] == _sessionfs ]]; then
    _sessionfs "$@"
else
    compdef _sessionfs sessionfs
fi
"""


def format_zsh(verbs: list[Completed]) -> str:
    """Return the script: a function with one ``_arguments`` per verb, and what asks the store."""
    families = {family: [verb for verb in verbs if verb.name.startswith(family + " ")] for family in FAMILIES}
    lines = [
        "#compdef sessionfs",
        "# zsh completion for sessionfs, made by: sessionfs completion zsh\n",
        "_sessionfs() {",
        "    local context state state_descr ret=1",
        '    local -a line whole=("${words[@]}")',
        "    typeset -A opt_args",
        *_choosing(
            1,
            [
                (name, ABOUT.get(name) or FAMILIES[name])
                for name in dict.fromkeys(verb.name.split()[0] for verb in verbs)
            ],
        ),
    ]
    for verb in verbs:
        if " " not in verb.name:
            lines += [f"    {verb.name})", *_arguments(verb, 2), "        ;;"]
    for family, members in families.items():
        lines += [f"    {family})", *_choosing(2, [(verb.name.split()[1], verb.about) for verb in members])]
        for verb in members:
            lines += [f"        {verb.name.split()[1]})", *_arguments(verb, 3), "            ;;"]
        lines += ["        esac", "        ;;"]
    lines += ["    esac", "    return ret", "}"]
    return "\n".join(lines) + "\n" + _ENGINE


def _choosing(depth: int, words: list[tuple[str, str]]) -> list[str]:
    """Return lines that complete one of *words*, and begin the case that goes on from it."""
    indent = "    " * depth
    choices = " ".join(f"{word}\\:{_quoted_word(about)}" for word, about in words)
    return [
        f"{indent}state=",
        f"{indent}_arguments -C \\",
        *(f"{indent}    {_option(option)} \\" for option in GLOBAL_OPTIONS),
        f"{indent}    '1:verb:(({choices}))' \\",
        f"{indent}    '*:::rest:->rest' && ret=0",
        f"{indent}[[ $state == rest ]] || return ret",
        f'{indent}words=("$line[1]" "${{words[@]}}")',
        f"{indent}(( CURRENT += 1 ))",
        f"{indent}case $line[1] in",
    ]


def _arguments(verb: Completed, depth: int) -> list[str]:
    indent = "    " * depth
    specs = [_option(option) for option in verb.options]
    specs += [_positional(index, positional) for index, positional in enumerate(verb.positionals, start=1)]
    return [
        f"{indent}_arguments \\",
        *(f"{indent}    {spec} \\" for spec in specs[:-1]),
        f"{indent}    {specs[-1]} && ret=0",
    ]


def _option(option: Option) -> str:
    repeat = "*" if option.repeat else f"({' '.join(option.names)})"
    value = f":{_message(option.metavar)}:{_action(option.choices, option.complete)}" if option.metavar else ""
    names = option.names[0] if len(option.names) == 1 else f"'{{{','.join(option.names)}}}'"
    return f"'{repeat}{names}[{_quoted(option.help)}]{value}'"


def _positional(index: int, positional: Positional) -> str:
    place = "*" if positional.count in "*+" else str(index)
    optional = ":" if positional.count == "?" else ""
    return f"'{place}:{optional}{_message(positional.name)}:{_action(positional.choices, positional.complete)}'"


def _action(choices: tuple[str, ...], complete: str) -> str:
    return f"({' '.join(choices)})" if choices else _ACTIONS.get(complete, "")


def _message(text: str) -> str:
    return text.replace(":", "\\:")


def _quoted(text: str) -> str:
    """Return *text* for inside brackets and single quotes."""
    for sign in "\\:[]":
        text = text.replace(sign, "\\" + sign)
    return text.replace("'", "'\\''")


def _quoted_word(text: str) -> str:
    """Return *text* for inside double parentheses and single quotes, which the shell evaluates once more."""
    for sign in "\\:()\"' ":
        text = text.replace(sign, "\\" + sign)
    return text.replace("'", "'\\''")
