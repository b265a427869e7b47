"""``completion``: scripts for shells, made from the table of verbs and from what each verb takes."""

from __future__ import annotations

from sessionfs.cli.arguments import Arguments
from sessionfs.cli.call import Call
from sessionfs.cli.spec import GLOBAL_OPTIONS, Option, Positional, Verb
from sessionfs.cli.verbs import TABLE, import_verb

SHELLS = ("bash", "zsh", "fish")


class Completed:
    """One verb, as a shell has to know it."""

    __slots__ = ("about", "name", "options", "positionals")

    def __init__(self, name: str, about: str) -> None:
        verb = import_verb(name)
        self.name = name
        self.about = about
        self.options: tuple[Option, ...] = (*verb.options, *GLOBAL_OPTIONS)
        self.positionals: tuple[Positional, ...] = verb.positionals


def _completion(call: Call, arguments: Arguments) -> None:
    verbs = [Completed(name, about) for _, name, _, about in TABLE]
    shell = arguments.text("SHELL")
    if shell == "bash":
        from sessionfs.cli.completion_bash import format_bash as format_script
    elif shell == "zsh":
        from sessionfs.cli.completion_zsh import format_zsh as format_script
    else:
        from sessionfs.cli.completion_fish import format_fish as format_script
    call.out.text(format_script(verbs))


VERBS = {
    "completion": Verb(
        _completion,
        about="Verbs and options are completed, and sessions, artifacts and keys by asking the store.",
        positionals=(Positional("SHELL", "The shell", choices=SHELLS),),
        examples=(
            (
                "completion bash >~/.local/share/bash-completion/completions/sessionfs",
                "for bash, from its next start on",
            ),
            ("completion zsh >~/.zfunc/_sessionfs", "for zsh, when ~/.zfunc is in fpath before compinit"),
            ("completion fish >~/.config/fish/completions/sessionfs.fish", "for fish"),
        ),
    )
}
