"""The templates of a store, as a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sessionfs import templates
from sessionfs.store.store import Store
from sessionfs.templates.places import STORE, Found, Places


class Templates(Mapping[str, templates.Template]):
    """What sessions can be made from, by name: the store's own templates, the user's, and the examples."""

    def __init__(self, store: Store, user_directory: str) -> None:
        """Wrap a store of the floor below; ``store.templates`` is the usual way.

        Args:
            user_directory: Where the user's own templates are.
        """
        self._store = store
        self.places = Places(store.layout.templates, user_directory)

    def __getitem__(self, name: str) -> templates.Template:
        found = self.places.find(name)
        return templates.read_template(found.path, found.name, found.place)

    def __iter__(self) -> Iterator[str]:
        return iter([found.name for found in self.places.list() if not found.is_hidden])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def list(self) -> Sequence[Found]:
        """Return where each template is, also those that are hidden by one of the same name that is found first."""
        return list(self.places.list())

    def check(self, name: str, variables: Mapping[str, Any] | None = None) -> Sequence[str]:
        """Check a template without making a session, and return the variables that still have to be given.

        Raises:
            InvalidInput, NotFound, Denied: What is wrong with it, by file and key.
        """
        return templates.check_template(self._store, self[name], variables or {})

    def create(self, name: str, session: Any, *, about: str | None = None, place: str = STORE) -> templates.Written:
        """Make a template with which sessions begin with what *session* has now.

        Args:
            session: A session of this store.
            about: What the template is for.
            place: ``store``, or ``user`` for one that is there for all stores of this user.

        Raises:
            Conflict: There is one of this name.
        """
        return templates.write_template(self._store, self.places, name, session.core, place=place, about=about)

    def __repr__(self) -> str:
        return f"<sessionfs.Templates of {self._store.path!r}>"
