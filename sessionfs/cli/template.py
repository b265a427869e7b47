"""``template``: what sessions can be made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionfs.cli import exits
from sessionfs.cli.arguments import Arguments, UsageError
from sessionfs.cli.call import Call
from sessionfs.cli.spec import Option, Positional, Verb
from sessionfs.cli.tables import Column
from sessionfs.cli.values import SET, SET_FILE

if TYPE_CHECKING:
    from sessionfs.api import Store
    from sessionfs.api.templates import Templates
    from sessionfs.templates import Template

_NAME = Positional("TEMPLATE", "A template's name", complete="template")

_LIST_COLUMNS = (
    Column("name"),
    Column("place", colours={"example": "dim"}),
    Column("about"),
    Column("variables", human=", ".join),
    Column("path"),
)
_VARIABLE_COLUMNS = (
    Column("name"),
    Column("type"),
    Column("default"),
    Column("choices"),
    Column("about"),
)


def templates_of(call: Call, store: Store) -> Templates:
    """Return the templates of *store*, the user's among them as the call's environment has it."""
    from sessionfs.api.templates import Templates
    from sessionfs.templates import user_directory

    return Templates(store.core, user_directory(call.env))


def read_variables(call: Call, template: Template, arguments: Arguments) -> dict[str, Any]:
    """Return the values that ``--set`` and ``--set-file`` give.

    Raises:
        UsageError: One of them is no ``NAME=…``, or its file is no text.
        BadVariable: It is of another type, or the template has no such variable.
    """
    from sessionfs.templates import parse_values
    from sessionfs.templates.variables import MAX_VALUE_BYTES

    texts = dict(_pair(pair, "--set", "VALUE") for pair in arguments.texts("set"))
    for name, path in (_pair(pair, "--set-file", "FILE") for pair in arguments.texts("set-file")):
        if path == "-":
            data = call.input_bytes().read(MAX_VALUE_BYTES + 1)
        else:
            with open(call.path(path), "rb") as file:
                data = file.read(MAX_VALUE_BYTES + 1)
        try:
            texts[name] = data.decode()
        except UnicodeDecodeError as failure:
            if len(data) <= MAX_VALUE_BYTES:
                raise UsageError(f"--set-file {name}={path}: the file is no UTF-8 text") from failure
            texts[name] = data.decode("latin-1")  # too long whatever it says: that is what is wrong with it
    return parse_values(template, texts)


def _pair(text: str, option: str, value: str) -> tuple[str, str]:
    name, equals, given = text.partition("=")
    if not name or not equals:
        raise UsageError(f"{option} takes NAME={value}, as in name=run7; {text!r} was given")
    return name, given


def _list(call: Call, arguments: Arguments) -> None:
    from sessionfs.errors import Error
    from sessionfs.templates import read_template

    with call.open_store() as store:
        records = []
        for found in templates_of(call, store).list():
            try:
                template = read_template(found.path, found.name, found.place)
                about, variables = template.about, list(template.variables)
            except Error as failure:
                about, variables = f"cannot be used: {failure}", []
            place = f"{found.place} (hidden)" if found.is_hidden else found.place
            records.append(
                {"name": found.name, "place": place, "about": about, "variables": variables, "path": found.path}
            )
    call.out.table(_LIST_COLUMNS, records)


def _show(call: Call, arguments: Arguments) -> None:
    with call.open_store() as store:
        template = templates_of(call, store)[arguments.text("TEMPLATE")]
    if call.out.as_json:
        call.out.document(template.to_dict())
        return
    if not call.out.is_terminal:
        with open(template.path, encoding="utf-8") as file:
            call.out.text(file.read())
        return
    call.out.line(f"{template.name}  ({template.path})")
    if template.about:
        call.out.line(template.about)
    record = template.to_dict()["variables"]
    if record:
        call.out.line("")
        call.out.table(
            _VARIABLE_COLUMNS, [{**variable, "choices": list(variable["choices"])} for variable in record.values()]
        )


def _check(call: Call, arguments: Arguments) -> int:
    with call.open_store() as store:
        templates = templates_of(call, store)
        name = arguments.text("TEMPLATE")
        template = templates[name]
        missing = templates.check(name, read_variables(call, template, arguments))
    if call.out.as_json:
        call.out.document({"template": name, "path": template.path, "missing": [*missing]})
    elif missing:
        call.say(
            f"sessionfs: the template {name!r} can be read, and its files are there; to check what it makes, give a "
            f"value for {', '.join(missing)}: --set {missing[0]}=…"
        )
    return exits.YES


def _new(call: Call, arguments: Arguments) -> None:
    from sessionfs.templates.places import STORE, USER

    with call.open_store() as store:
        session = call.session(store, arguments.maybe("from"))
        made = templates_of(call, store).create(
            arguments.text("TEMPLATE"),
            session,
            about=arguments.maybe("about"),
            place=USER if arguments.flag("user") else STORE,
        )
    if made.left_out:
        call.say(f"sessionfs: sockets, fifos and devices cannot be in a template: {', '.join(made.left_out)}")
    if call.out.as_json:
        call.out.document({"path": made.path, "files": made.files, "left_out": list(made.left_out)})
    else:
        call.out.line(made.path)


_EXITS = {2: "The template cannot be understood, or a variable cannot have its value.", 3: "There is no such template."}

VERBS = {
    "template list": Verb(
        _list,
        about="Those in templates/ in the store, in the user's configuration ($XDG_CONFIG_HOME/sessionfs/templates), "
        "and the examples that come with sessionfs. Of several of one name, the first in this order is used.",
        examples=(("template list", "names, where they are, what they are for, and their variables"),),
    ),
    "template show": Verb(
        _show,
        about="At a terminal what it is for and its variables; elsewhere the file as it is. To make one's own from it, "
        "copy that file, which template list names, and the directory beside it into templates/ in the store.",
        positionals=(_NAME,),
        examples=(
            ("template show ml_training", "what can be set"),
            ("template show ml_training | less", "the file itself, to learn from"),
        ),
        exits=_EXITS,
    ),
    "template check": Verb(
        _check,
        about="Reads the template and looks for its files. With a value for each variable that has no default, it also "
        "makes all that a session would begin with, and stores nothing.",
        positionals=(_NAME,),
        options=(SET, SET_FILE),
        examples=(
            ("template check mine", "is there anything wrong with it?"),
            ("template check mine --set name=run7", "and with what it makes?"),
        ),
        exits=_EXITS,
    ),
    "template new": Verb(
        _new,
        about="Sessions made from it begin with what SESSION has now: fields, limits, state and artifacts. It is a "
        "file in templates/ in the store, with a directory of files beside it; write variables into it with an editor. "
        "Prints its path.",
        positionals=(Positional("TEMPLATE", "How it is to be called"),),
        options=(
            Option("--from", "The session; @ by default", metavar="SESSION", complete="session"),
            Option("--about", "What the template is for", metavar="TEXT"),
            Option("--user", "Into the user's configuration, for all stores"),
        ),
        examples=(("template new nightly --from q4", "then: session create --template nightly"),),
        exits={3: "There is no such session.", 5: "There is a template of this name."},
    ),
}
