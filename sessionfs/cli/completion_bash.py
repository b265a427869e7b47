"""The completion script for bash (4.4 or newer)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionfs.cli.spec import GLOBAL_OPTIONS, Option, Positional
from sessionfs.cli.verbs import FAMILIES

if TYPE_CHECKING:
    from sessionfs.cli.completion import Completed

# What names hold is only ever compared and quoted, never expanded: an artifact may be called $(rm -rf ~).
_ENGINE = r"""
# Sets COMPREPLY to those lines of standard input that start with $1, quoted.
__sessionfs_matching() {
    local line
    while IFS= read -r line; do
        [[ -z $line || $line != "$1"* ]] || COMPREPLY+=("$(printf %q "$line")")
    done
}

__sessionfs_artifacts() {
    local line directory=
    [[ $cur != */* ]] || directory=${cur%/*}
    while IFS= read -r line; do
        if [[ $line == directory$'\t'* ]]; then
            printf '%s/\n' "${line##*$'\t'}"
        else
            printf '%s\n' "${line##*$'\t'}"
        fi
    done < <("${COMP_WORDS[0]}" "${store[@]}" artifact list -l "$session" ${directory:+"$directory"} 2>/dev/null)
}

__sessionfs_sessions() {
    local line
    printf '@\n'
    while IFS= read -r line; do
        printf '%s\n' "${line%%$'\t'*}"
        line=${line#*$'\t'*$'\t'}
        printf '%s\n' "${line%%$'\t'*}"
    done < <("${COMP_WORDS[0]}" "${store[@]}" session list 2>/dev/null)
}

__sessionfs_keys() {
    "${COMP_WORDS[0]}" "${store[@]}" state list "$session" 2>/dev/null | cut -f1
}

__sessionfs_templates() {
    "${COMP_WORDS[0]}" "${store[@]}" template list 2>/dev/null | cut -f1
}

__sessionfs_offer() {
    case $1 in
    =*) __sessionfs_matching "$cur" < <(tr ',' '\n' <<<"${1#=}") ;;
    file) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    directory) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    session) __sessionfs_matching "$cur" < <(__sessionfs_sessions) ;;
    artifact) compopt -o nospace && __sessionfs_matching "$cur" < <(__sessionfs_artifacts) ;;
    key) __sessionfs_matching "$cur" < <(__sessionfs_keys) ;;
    template) __sessionfs_matching "$cur" < <(__sessionfs_templates) ;;
    esac
}

_sessionfs() {
    local cur=${COMP_WORDS[COMP_CWORD]} options values places verb= skip= session= word kind i index=0 store=()
    COMPREPLY=()
    __sessionfs_verb ''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $skip ]]; then
            [[ $skip != --store ]] || store=(--store "${word/#\~/$HOME}")
            skip=
        elif [[ $word == -?* ]]; then
            [[ " $values " != *" $word:"* ]] || skip=$word
        elif [[ -z $verb || $families == *" $verb "* ]]; then
            verb=${verb:+$verb }$word
            __sessionfs_verb "$verb"
        else
            ((index)) || session=$word
            index=$((index + 1))
        fi
    done
    if [[ $skip ]]; then
        kind=${values#*"$skip:"}
        kind=${kind%% *}
    elif [[ $cur == -* ]]; then
        kind="=${options// /,}"
    else
        set -- $places
        ((index < $#)) || { [[ ${*: -1} == *'*' ]] && index=$(($# - 1)); }
        shift "$((index < $# ? index : $#))"
        kind=${1-}
        kind=${kind%'*'}
    fi
    __sessionfs_offer "$kind"
}

complete -F _sessionfs sessionfs
"""


def format_bash(verbs: list[Completed]) -> str:
    """Return the script.

    It has one case per verb that sets its ``options``, the ``values`` that some of them take (``--status:=a,b``,
    ``--store:directory``) and its ``places``: what stands where, the last one with ``*`` when it may be repeated.
    """
    lines = [
        "# bash completion for sessionfs, made by: sessionfs completion bash\n",
        "__sessionfs_verb() {",
        f"    families=' {' '.join(FAMILIES)} '",
        "    case $1 in",
        _case("", GLOBAL_OPTIONS, "=" + ",".join(dict.fromkeys(verb.name.split()[0] for verb in verbs))),
    ]
    for family in FAMILIES:
        words = [verb.name.split()[1] for verb in verbs if verb.name.startswith(family + " ")]
        lines.append(_case(family, GLOBAL_OPTIONS, "=" + ",".join(words)))
    for verb in verbs:
        lines.append(_case(verb.name, verb.options, " ".join(map(_place, verb.positionals))))
    lines += ["    *) options= values= places= ;;", "    esac", "}"]
    engine = _ENGINE.replace("verb= skip=", "families verb= skip=", 1)
    return "\n".join(lines) + "\n" + engine


def _case(name: str, options: tuple[Option, ...], places: str) -> str:
    names = " ".join(option.names[-1] for option in options)
    values = " ".join(
        f"{name}:{_kind(option.choices, option.complete)}"
        for option in options
        if option.metavar
        for name in option.names
    )
    return f"    '{name}')\n        options='{names}'\n        values=' {values}'\n        places='{places}' ;;"


def _place(positional: Positional) -> str:
    kind = _kind(positional.choices, positional.complete) or "none"
    return kind + "*" if positional.count in "*+" else kind


def _kind(choices: tuple[str, ...], complete: str) -> str:
    return "=" + ",".join(choices) if choices else complete
