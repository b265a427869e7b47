"""Words and patterns find what reading everything finds, whatever was done, in every process that asks."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import unicodedata
from contextlib import suppress
from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import sessionfs
from sessionfs.errors import Error

WORDS = ["alpha", "Beta", "gamma", "delta_x", "Über", "東京", "京", "straße"]
sessions = st.sampled_from(["one", "one", "two"])
names = st.sampled_from(["a", "b.md", "alpha.txt", "d/beta", "d/東京"])
texts = st.lists(st.sampled_from([*WORDS, "\n", "\n", "gamma\nalpha"]), max_size=6).map(" ".join)
tags = st.lists(st.sampled_from(["alpha", "gamma"]), max_size=1)
descriptions = st.sampled_from([None, "Beta of 東京", "delta"])
processes = st.integers(0, 1)

# As they are asked for; the folded words that must be there, and those that must not.
ASKED = [
    ("alpha", ["alpha"], []), ("BETA", ["beta"], []), ("alpha beta", ["alpha", "beta"], []), ("uber", ["uber"], []),
    ("京", ["京"], []), ("東京", ["東 京"], []), ("alpha NOT gamma", ["alpha"], ["gamma"]),
    ("strasse", ["strasse"], []), ('"gamma alpha"', ["gamma alpha"], []), ("delta_x", ["delta x"], []),
    ("x", ["x"], []), ("alp", ["alp"], []),
    ("東京 NOT beta", ["東 京"], ["beta"]), ("md", ["md"], []),
]  # fmt: skip
PATTERNS = ["alpha", "^Beta", r"gamma\s*$", "東.?", r"\w+_x", "a b|Über", "[^ ]+ [^ ]+ alpha", "$"]


def tokens(text):
    """Return the words of *text*, folded: the naive way."""
    folded = unicodedata.normalize("NFD", text.casefold())
    bare = "".join(sign for sign in folded if not unicodedata.combining(sign))
    return re.findall(r"[\u3000-\u9fff]|[a-z0-9]+", bare)


def has(documents, phrase):
    wanted = phrase.split()
    return any(found[at : at + len(wanted)] == wanted for found in map(tokens, documents) for at in range(len(found)))


class Searches(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.path = tempfile.mkdtemp(dir=os.environ.get("SESSIONFS_TEST_DIRECTORY"))
        self.stores = [sessionfs.open(self.path, create=True, background_sync=False) for _ in range(2)]

    def teardown(self):
        for number in range(2):
            for asked in ASKED[:6]:
                self.words_are_found(number, asked)
            self.stores[number].close()
        shutil.rmtree(self.path)

    # What is done

    @initialize()
    def begin(self):
        session = self.stores[0].sessions.create(id="one")
        session.artifacts.put("a", "alpha Beta\ngamma", tags=["gamma"])

    def attempt(self, number, call):
        with suppress(Error):
            call(self.stores[number])

    @rule(number=processes, id=sessions, name=names, text=texts, tags=tags, description=descriptions)
    def put(self, number, id, name, text, tags, description):
        fields = {"tags": tags, "description": description}
        self.attempt(number, lambda store: store.sessions[id].artifacts.put(name, text, **fields))

    @rule(number=processes, id=sessions, name=names, tags=tags, description=descriptions)
    def update(self, number, id, name, tags, description):
        fields = {"tags": tags, "description": description}
        self.attempt(number, lambda store: store.sessions[id].artifacts.update(name, **fields))

    @rule(number=processes, id=sessions, name=names, other=names)
    def rename(self, number, id, name, other):
        self.attempt(number, lambda store: store.sessions[id].artifacts.rename(name, other))

    @rule(number=processes, id=sessions, name=names, other=names)
    def copy(self, number, id, name, other):
        self.attempt(number, lambda store: store.sessions[id].artifacts.copy(name, other))

    @rule(number=processes, id=sessions, name=names)
    def delete(self, number, id, name):
        self.attempt(number, lambda store: store.sessions[id].artifacts.delete(name, recursive=True))

    @rule(number=processes, id=sessions, text=texts)
    def record(self, number, id, text):
        self.attempt(number, lambda store: store.sessions[id].record("tool.invoked", {"said": [text]}))

    @rule(number=processes)
    def fork(self, number):
        self.attempt(number, lambda store: store.sessions["one"].fork(id="two", name="Beta"))

    @rule(number=processes)
    def delete_session(self, number):
        self.attempt(number, lambda store: store.sessions.delete("two"))

    @rule(number=processes)
    def let_time_pass(self, number):
        """So much that this process looks for itself, at the index too, instead of trusting what it is told."""
        self.stores[number].index._keeper._looked_at = -inf

    @rule(number=processes)
    def take_in(self, number):
        self.stores[number].index.refresh()

    @rule(number=processes, way=st.sampled_from(["text", "index", "garbage", "restart"]))
    def lose(self, number, way):
        if way == "restart":
            self.stores[number].close()
            self.stores[number] = sessionfs.open(self.path, background_sync=False)
        elif way == "garbage":
            place = f"{self.path}/index.sqlite.text"
            with suppress(FileNotFoundError):
                os.unlink(place)
            with open(place, "wb") as file:
                file.write(b"garbage" * 1000)
        else:
            (self.stores[number].texts if way == "text" else self.stores[number].index).drop()

    # What must be so

    def artifacts(self):
        for session in self.stores[0].sessions.values():
            for artifact in session.artifacts.values():
                yield session.id, artifact

    @rule(number=processes, asked=st.sampled_from(ASKED))
    def words_are_found(self, number, asked):
        words, wanted, unwanted = asked
        expected = set()
        for session, artifact in self.artifacts():
            documents = [artifact.name, artifact.description or "", " ".join(artifact.tags), artifact.read_text()]
            if all(has(documents, one) for one in wanted) and not any(has(documents, one) for one in unwanted):
                expected.add((session, artifact.path))
        for session in self.stores[0].sessions.values():
            for event in session.events("tool.*"):
                documents = ["tool invoked", *event.data["said"]]
                if all(has(documents, one) for one in wanted) and not any(has(documents, one) for one in unwanted):
                    expected.add((session.id, event.seq))
            if session.name and all(has([session.name], one) for one in wanted):
                expected.add((session.id, None))
        found = [
            (hit.session, hit.artifact.path if hit.artifact else hit.event.seq if hit.event else None)
            for hit in self.stores[number].search(words)
        ]
        assert set(found) == expected and len(found) == len(expected)

    @rule(number=processes, pattern=st.sampled_from(PATTERNS))
    def lines_are_found(self, number, pattern):
        expected = [
            (session, artifact.path, place)
            for session, artifact in self.artifacts()
            for place, line in enumerate(artifact.read_text().removesuffix("\n").split("\n"), 1)
            if artifact.read_text() and re.search(pattern, line)
        ]
        found = [(line.artifact.session, line.artifact.path, line.number) for line in self.stores[number].grep(pattern)]
        assert found == expected


TestSearches = Searches.TestCase
TestSearches.settings = settings(max_examples=settings().max_examples // 5)
