"""A template with its variables filled in: what a session made from it says about itself, and how it is called."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from sessionfs.clock import format_time
from sessionfs.errors import InvalidInput
from sessionfs.sessions import check_id, check_metadata, check_name, check_tags
from sessionfs.state import check_key, encode_value
from sessionfs.store.settings import check_setting
from sessionfs.store.store import Store
from sessionfs.templates.substitution import fill, fill_text
from sessionfs.templates.template import BadTemplate, Template

_PREFIX_OF = {"limits": "limits.", "retention": "retention."}


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is to be; its artifacts and hooks are looked at when they are needed."""

    template: Template
    values: Mapping[str, Any]  # of the variables, those that every template has among them
    session_id: str
    name: str | None
    description: str | None
    tags: tuple[str, ...]
    metadata: dict[str, Any]
    settings: dict[str, Any]  # see ``sessionfs.store.settings``
    state: dict[str, bytes]  # compact JSON by key


def fill_in(
    store: Store,
    template: Template,
    values: Mapping[str, Any],
    *,
    session_id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Filled:
    """Return what a session made from *template* is to be.

    Args:
        values: Of its variables, checked.
        session_id, name, description: In place of what the template says.
        tags, metadata: Besides it.

    Raises:
        BadTemplate: Something cannot be what the variables make of it; the message names the key.
    """
    path = template.path
    moment = format_time(store.clock())
    values = {**values, "date": moment[:10], "time": f"{moment[:19]}Z"}
    if session_id is None:
        with naming(f"{path}: id_prefix"):
            session_id = check_id(fill_text(template.id_prefix, values, f"{path}: id_prefix") + store.new_id())
    values["id"] = session_id

    def filled(key: str) -> Any:
        return fill(getattr(template, key), values, f"{path}: {key}")

    if name is None and template.session_name is not None:
        with naming(f"{path}: name"):
            name = check_name(fill_text(template.session_name, values, f"{path}: name"))
    if description is None and template.description is not None:
        description = fill_text(template.description, values, f"{path}: description")
    with naming(f"{path}: tags"):
        own_tags = check_tags(map(str, filled("tags")))
    with naming(f"{path}: metadata"):
        own_metadata = check_metadata(filled("metadata"))
    return Filled(
        template=template,
        values=values,
        session_id=session_id,
        name=name,
        description=description,
        tags=(*own_tags, *((tags,) if isinstance(tags, str) else tags)),
        metadata={**own_metadata, **(metadata or {})},
        settings={
            f"{prefix}{key}": _setting(f"{path}: {table}.{key}", f"{prefix}{key}", value)
            for table, prefix in _PREFIX_OF.items()
            for key, value in filled(table).items()
        },
        state={key: _value(f"{path}: state.{key}", key, value) for key, value in filled("state").items()},
    )


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Say *where* what is wrong inside stands in the template.

    Raises:
        BadTemplate: In place of any other InvalidInput.
    """
    try:
        yield
    except BadTemplate:
        raise
    except InvalidInput as failure:
        raise BadTemplate(f"{where}: {failure}") from failure


def _setting(where: str, key: str, value: Any) -> Any:
    with naming(where):
        return check_setting(key, value)


def _value(where: str, key: str, value: Any) -> bytes:
    with naming(where):
        check_key(key)
        return encode_value(value)
