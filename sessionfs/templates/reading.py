"""Reading the file of a template: TOML, every key optional, unknown ones refused with the nearest known one named.

    about = "…"                      what the template is for
    id_prefix = "ml-"                ids are this and a UUIDv7, unless the caller picks one
    name, description, tags          of the session
    [metadata] [state]               any JSON; {json = "null"} for what TOML cannot say
    [limits]                         max_artifacts_per_session, max_artifact_size, max_session_size
    [retention]                      the session's policy: see sessionfs.retention
    [artifacts."path"]               file, tree, text, symlink, link or directory; substitute, mode, type, mime_type,
                                     description, tags, metadata, xattrs
    [hooks]                          pre-artifact-store = "program", or a list of them
    [variables.NAME]                 about, type, default, choices, pattern, min, max

In all texts but those of ``about`` and of ``[variables]``, variables are filled in (see ``substitution``).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import regex

from sessionfs.errors import NotFound, from_os_error
from sessionfs.hooks.points import PLACES
from sessionfs.templates.keys import Keys
from sessionfs.templates.substitution import BUILT_IN, is_variable_name, names_in, unknown_variable
from sessionfs.templates.template import BadTemplate, Source, Template, Variable
from sessionfs.templates.variables import IS_OF_TYPE, BadVariable, check_value

# The standard library reads about a MiB of TOML a second.
MAX_TEMPLATE_BYTES = 16 << 20

_WHAT = ("file", "tree", "text", "symlink", "link", "directory")
_ATTRIBUTES = ("type", "mime_type", "description", "tags", "metadata", "xattrs")
# Of what is called here, a session that is being made has nothing yet.
_BEFORE_IT_IS_THERE = ("session.create", "session.fork")
_MODE = re.compile(r"0?[0-7]{1,4}")


class LostTemplate(NotFound):
    """The file of a template is gone."""


def read_template(path: str, name: str, place: str) -> Template:
    """Return the template in the file at *path*.

    Raises:
        BadTemplate: It cannot be understood.
        LostTemplate, DiskFault, ReadOnlyStore: It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_TEMPLATE_BYTES + 1)
    except FileNotFoundError as failure:
        raise LostTemplate(f"there is no template at {path}") from failure
    except OSError as failure:
        raise from_os_error(failure, f"read the template {path}") from failure
    if len(data) > MAX_TEMPLATE_BYTES:
        raise BadTemplate(f"{path} is larger than {MAX_TEMPLATE_BYTES} bytes; put content into files beside it")
    return parse_template(data, path, name, place)


def parse_template(data: bytes, path: str, name: str, place: str) -> Template:
    """Return the template that *data* says.

    Args:
        path: Where it stands.

    Raises:
        BadTemplate: It is no TOML, has an unknown key, or a value that is of another type.
    """
    try:
        return _read(Keys(tomllib.loads(data.decode()), path), path, name, place)
    except UnicodeDecodeError as failure:
        line = data.count(b"\n", 0, failure.start) + 1
        raise BadTemplate(f"{path}, line {line}: it is not UTF-8 text") from failure
    except tomllib.TOMLDecodeError as failure:
        raise BadTemplate(f"{path} is not valid TOML: {failure}") from failure
    except RecursionError as failure:
        raise BadTemplate(f"{path} holds something that is nested too deeply") from failure


def _read(keys: Keys, path: str, name: str, place: str) -> Template:
    template = Template(
        name=name,
        path=path,
        place=place,
        about=keys.text("about"),
        id_prefix=keys.text("id_prefix") or "",
        session_name=keys.text("name"),
        description=keys.text("description"),
        tags=keys.texts("tags"),
        metadata=keys.json_table("metadata"),
        limits=keys.json_table("limits"),
        retention=keys.json_table("retention"),
        state=keys.json_table("state"),
        artifacts=tuple(_source(path, below) for path, below in keys.tables("artifacts")),
        hooks=_hooks(keys),
        variables={name: _variable(name, below) for name, below in keys.tables("variables")},
    )
    keys.end()
    _check_names(template)
    return template


def _source(path: str, keys: Keys) -> Source:
    given = [key for key in _WHAT if key in keys]
    if len(given) != 1:
        was = ", ".join(given) if given else "none of them"
        raise BadTemplate(f"{keys.where()} needs exactly one of {', '.join(_WHAT)}; it has {was}")
    source = Source(
        path=path,
        file=keys.text("file"),
        tree=keys.text("tree"),
        text=keys.text("text"),
        symlink=keys.text("symlink"),
        link=keys.text("link"),
        directory=keys.flag("directory"),
        substitute=keys.flag("substitute"),
        mode=keys.text("mode"),
        attributes={key: keys.any(key) for key in _ATTRIBUTES if key in keys},
    )
    if given == ["directory"] and not source.directory:
        raise BadTemplate(f"{keys.where('directory')} can only be true; leave the artifact out to have none")
    if source.substitute and source.file is None and source.tree is None:
        raise BadTemplate(
            f"{keys.where('substitute')} is for file and tree; other texts always have variables filled in"
        )
    if source.mode is not None and _MODE.fullmatch(source.mode) is None:
        raise BadTemplate(f'{keys.where("mode")} is {source.mode!r}; permission bits are octal, as in "755"')
    keys.end()
    return source


def _hooks(keys: Keys) -> dict[str, tuple[str, ...]]:
    table = keys.table("hooks")
    found = {place: table.text_or_texts(place) for place in PLACES if PLACES[place].point not in _BEFORE_IT_IS_THERE}
    table.end()
    return {place: programs for place, programs in found.items() if programs}


def _variable(name: str, keys: Keys) -> Variable:
    if not is_variable_name(name) or name in BUILT_IN:
        reason = f"{name!r} is {BUILT_IN[name]}" if name in BUILT_IN else "its name is made of letters, digits and '_'"
        raise BadTemplate(f"{keys.where()}: {reason}; call it something else")
    type = keys.text("type") or "string"
    if type not in IS_OF_TYPE:
        raise BadTemplate(f"{keys.where('type')} is one of {', '.join(IS_OF_TYPE)}; not {type!r}")
    choices = keys.any("choices") or []
    variable = Variable(
        name=name,
        about=keys.text("about"),
        type=type,
        default=keys.any("default"),
        choices=tuple(choices) if isinstance(choices, list) else (choices,),
        pattern=keys.text("pattern"),
        min=keys.any("min"),
        max=keys.any("max"),
    )
    keys.end()
    _check_variable(variable, keys)
    return variable


def _check_variable(variable: Variable, keys: Keys) -> None:
    if variable.pattern is not None:
        if variable.type != "string":
            raise BadTemplate(f"{keys.where('pattern')} is for texts, and this is a variable of type {variable.type!r}")
        try:
            regex.compile(variable.pattern)
        except (regex.error, RecursionError) as failure:
            raise BadTemplate(f"{keys.where('pattern')} is no regular expression: {failure}") from failure
    for key in ("min", "max"):
        bound = getattr(variable, key)
        if bound is not None and (variable.type not in ("integer", "number") or not IS_OF_TYPE["number"](bound)):
            raise BadTemplate(f"{keys.where(key)} is a number, for a variable of type integer or number")
    for choice in variable.choices:
        if not IS_OF_TYPE[variable.type](choice):
            raise BadTemplate(f"{keys.where('choices')}: {choice!r} is no {variable.type}")
    if variable.default is not None:
        try:
            check_value(variable, variable.default, "")
        except BadVariable as failure:
            raise BadTemplate(f"{keys.where('default')}: {str(failure).partition(' cannot be ')[2]}") from failure


def _check_names(template: Template) -> None:
    """Check that each variable that is named is there; those in files are found when they are read."""
    known = {**BUILT_IN, **template.variables}
    for text, where in _texts(template):
        for name, there in names_in(text, where):
            if name not in known:
                raise unknown_variable(name, known, there)
    for name, _ in names_in(template.id_prefix, f"{template.path}: id_prefix"):
        if name == "id":
            raise BadTemplate(f"{template.path}: id_prefix is a part of the id, so it cannot have ${{id}} in it")


def _texts(template: Template) -> Iterator[tuple[Any, str]]:
    path = template.path
    yield template.id_prefix, f"{path}: id_prefix"
    yield template.session_name, f"{path}: name"
    yield template.description, f"{path}: description"
    yield template.tags, f"{path}: tags"
    for key in ("metadata", "limits", "retention", "state"):
        yield getattr(template, key), f"{path}: {key}"
    for source in template.artifacts:
        where = f"{path}: artifacts.{source.path}"
        yield source.path, where
        for key in ("file", "tree", "text", "symlink", "link"):
            yield getattr(source, key), f"{where}.{key}"
        for name, value in source.attributes.items():
            yield value, f"{where}.{name}"
