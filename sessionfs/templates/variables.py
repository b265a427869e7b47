"""Values of variables: from a command line or from Python, checked against what the template says of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import regex

from sessionfs.errors import InvalidInput
from sessionfs.templates.substitution import BUILT_IN
from sessionfs.templates.template import Template, Variable

# A value stands in the session's first record, and in each text that names it.
MAX_VALUE_BYTES = 1 << 20

_PATTERN_SECONDS = 1.0


class BadVariable(InvalidInput):
    """A variable that is missing, that the template does not have, or whose value does not pass its checks."""


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_integer(value) or (isinstance(value, float) and math.isfinite(value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and _is_unicode(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


IS_OF_TYPE: dict[str, Callable[[Any], bool]] = {
    "string": _is_text,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
}

_WANTED = {
    "string": "a text (valid Unicode)",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def check_values(template: Template, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a value for each variable of *template*: what is *given*, and defaults for the rest.

    Raises:
        BadVariable: One is missing, unknown, or has a value that it cannot have; nothing is returned.
    """
    for name in given:
        if name not in template.variables:
            raise _unknown(template, name)
    missing = [name for name, variable in template.variables.items() if variable.is_required and name not in given]
    if missing:
        shown = ", ".join(_shown(template.variables[name]) for name in missing)
        raise BadVariable(
            f"the template {template.name!r} needs a value for {shown}: --set {missing[0]}=…, "
            f"or variables={{{missing[0]!r}: …}}"
        )
    return {
        name: check_value(variable, given.get(name, variable.default), template.name)
        for name, variable in template.variables.items()
    }


def check_value(variable: Variable, value: Any, template: str) -> Any:
    """Return *value* if *variable* can have it.

    Raises:
        BadVariable: It cannot; the message says why.
    """
    refuse = _Refuse(f"the variable {variable.name!r} of the template {template!r} cannot be {_quoted(value)}")
    if not IS_OF_TYPE[variable.type](value):
        raise refuse(f"{_WANTED[variable.type]} is needed")
    if isinstance(value, str) and len(value.encode()) > MAX_VALUE_BYTES:
        raise refuse(f"at most {MAX_VALUE_BYTES} bytes are possible; put what is long into a file of the template's")
    if variable.choices and value not in variable.choices:
        raise refuse(f"these are possible: {', '.join(map(str, variable.choices))}")
    if variable.pattern is not None:
        try:
            matches = regex.fullmatch(variable.pattern, value, timeout=_PATTERN_SECONDS) is not None
        except TimeoutError:
            raise refuse(f"the pattern {variable.pattern!r} takes too long on it; simplify the pattern") from None
        if not matches:
            raise refuse(f"it has to match the pattern {variable.pattern!r}")
    if variable.min is not None and value < variable.min:
        raise refuse(f"it is at least {variable.min}")
    if variable.max is not None and value > variable.max:
        raise refuse(f"it is at most {variable.max}")
    return value


def parse_values(template: Template, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the values that *texts*, as on a command line, are of the variables' types; the checks come later.

    Raises:
        BadVariable: One is of another type, or the template has no such variable.
    """
    return {name: _parse(template, name, text) for name, text in texts.items()}


def _parse(template: Template, name: str, text: str) -> Any:
    variable = template.variables.get(name)
    if variable is None:
        raise _unknown(template, name)
    parse = _PARSERS.get(variable.type)
    try:
        return text if parse is None else parse(text)
    except ValueError as failure:
        raise BadVariable(
            f"the variable {name!r} of the template {template.name!r} cannot be {_quoted(text)}: "
            f"{_WANTED[variable.type]} is needed"
        ) from failure


def _parse_boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _parse_number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "number": _parse_number,
    "boolean": _parse_boolean,
}


class _Refuse:
    def __init__(self, start: str) -> None:
        self._start = start

    def __call__(self, why: str) -> BadVariable:
        return BadVariable(f"{self._start}: {why}")


def _unknown(template: Template, name: str) -> BadVariable:
    from difflib import get_close_matches

    if name in BUILT_IN:
        return BadVariable(f"the variable {name!r} is {BUILT_IN[name]}; it cannot be set")
    close = get_close_matches(name, template.variables, n=1, cutoff=0.0)
    known = f"the nearest is {close[0]!r}" if close else "it has none"
    return BadVariable(f"the template {template.name!r} has no variable {name!r}; {known}")


def _shown(variable: Variable) -> str:
    return f"{variable.name!r}" + (f" ({variable.about})" if variable.about else "")


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
