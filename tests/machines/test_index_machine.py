"""The index says of every query what a full scan says, whatever was done, by whom, and whoever was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from naive import Artifact, Naive

from sessionfs.errors import Error
from sessionfs.index import Index
from sessionfs.index.find import place_of
from sessionfs.log import Position
from sessionfs.query import Order, Page, Subject, parse_query
from sessionfs.query.order import SORTS, format_cursor, make_page
from sessionfs.sessions import Templated
from sessionfs.store.store import Store

names = st.sampled_from(["a", "a", "b.csv", "b.csv", "data.tar.gz", "\udcff\\", "É.md", "[x]"])
paths = st.lists(names, min_size=1, max_size=2).map("/".join)
sessions = st.sampled_from(["one", "one", "one", "two", "three"])
doomed = st.sampled_from(["two", "three"])  # what ends a session ends it for the rest of an example
processes = st.integers(0, 1)
metadata = st.dictionaries(
    st.sampled_from(["k", "l", "k.m"]),
    st.sampled_from([1, 2.5, "1", "ten", True, None, [], {}, {"m": 3}, ["ten", 10], 1 << 70]),
    max_size=2,
)
attributes = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from([0o600, 0o755, 0o4711]),
        "uid": st.integers(0, 2),
        "mtime_ns": st.sampled_from([0, -5, 10**18, 10**20]),
        "type": st.sampled_from(["code", "word", None]),
        "mime_type": st.sampled_from(["text/plain", "image/png", None]),
        "description": st.sampled_from(["Some words", "", "So\0ends", None]),
        "tags": st.lists(st.sampled_from(["x", "y", "xy"]), max_size=2),
        "metadata": metadata,
    },
)

# Terms about every field, in every way in which it can be asked for.
TERMS = [
    "name:a", "name:*.csv", "name:b*", "name:?", "name:[ab]*", "iname:*.csv", "iname:É*", "name:*.tar.gz", "name=[x]",
    "path:a/b.csv", "path:a/*", "path:**/a", "path:*/*.csv", "ipath:A/**", "name:a/*.csv", "CSV", "words", "é", "*.md",
    "type:code", "type:w*", "type:data,log", "mime:text/*", "mime=image/png", "kind:directory", "kind:file,symlink",
    "kind:*", "kind!=file", "tag:x", "tag:x,y", "tag:x*", "description:S*", "by:uid:0", "by:me", "id:one:3", "id:t*",
    "session:one", "session:t*", "session:one,two", "tag:x,xy,zz", "name:a,b.csv", "path:a/a,a/b.csv", "by:me,uid:0",
    "type:code,data", "description:*s", "description:S?*n*",
    "session.status:active", "session.tag:s", "session:(tag:s OR name:n)",
    "session.meta.k:1", "session.artifacts:>2", "size:0", "size:>3", "size:1..10", "stored:<=5", "version:>1",
    "links:>1", "created:>1s", "created:<2026-11-20T22:44:02Z", "updated:>=2026-11-20T22:44:03Z",
    "modified:<1970-01-02", "modified:>3000-01-01", "after:2026-11-20", "before:2026-11-20", "oid:af13",
    "oid:" + "0" * 64,
    "meta.k:*", "meta.k:1", 'meta.k:"1"', "meta.k:>1", "meta.k:<=ten", "meta.k:t*", "meta.k.m:3", "meta.k.m:*",
    "meta.k:1..3", "meta.l:true", "meta.l:null", "meta.k:..b", "meta.k!=ten", "meta.k:{}", "meta.l:>1e20",
]  # fmt: skip
SESSION_TERMS = [
    "id:one,two", "name:n,N",
    "id:one", "id:t*", "name:n", "iname:N*", "status:active", "status:completed,suspended", "tag:s", "tag:s,t",
    "tag:s*", "parent:one", "template:t*", "template:*", "by:uid:*", "reason:*", "description:*", "size:>3", "stored:0",
    "artifacts:>1", "events:>5",
    "state:1", "created:<2026-11-20T22:44:02Z", "updated:>2026-11-20", "started:>2026", "ended:>1", "meta.k:1",
    "meta.k:>1",
    "meta.k:*", "has:(name:*.csv)", "has:(tag:x size:>3)", "has:(kind:directory)", "NOT has:(type:code)",
    "has:(NOT tag:x)", "has:(session.status:active OR words)", "n",
]  # fmt: skip


@st.composite
def query_texts(draw, terms):
    """Compose a query of a few terms."""
    chosen = draw(st.lists(st.sampled_from(terms), max_size=3))
    parts = [draw(st.sampled_from(["", "", "NOT "])) + term for term in chosen]
    text = draw(st.sampled_from([" ", " OR "])).join(parts)
    return text


queries = st.one_of(
    st.tuples(query_texts(TERMS), st.just(Subject.ARTIFACTS), st.booleans()),
    st.tuples(query_texts(SESSION_TERMS), st.just(Subject.SESSIONS), st.just(False)),
)


class Process:
    """One process: a store, and an index that may have been asked before."""

    def __init__(self, path, clock):
        self.store = Store(path, clock=clock)
        self.index = Index(self.store)
        self.kept = None  # a generation of the index, and what was found in it

    def close(self):
        self.index.close()
        self.store.close()


class Indexes(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.path = tempfile.mkdtemp(dir=os.environ.get("SESSIONFS_TEST_DIRECTORY"))
        self.now_ns = 1_795_214_641_000_000_000
        Store.create(self.path)
        self.processes = [Process(self.path, self.clock) for _ in range(2)]
        self.scanned = None

    def clock(self):
        self.now_ns += 250_000_000
        return self.now_ns

    def teardown(self):
        self.everything_is_the_same()
        for process in self.processes:
            process.close()
        shutil.rmtree(self.path)

    # What is done

    @initialize()
    def begin(self):
        session = self.processes[0].store.create_session(session_id="one", tags=["s"])
        stored = session.objects.put_bytes(b"x")
        for path in ("a/a", "a/b.csv", "b.csv"):
            session.artifacts.put(path, stored, tags=["x"])
        session.artifacts.put("b.csv", stored)
        session.artifacts.put("b.csv", stored)
        session.artifacts.link("a/b.csv", "a/data.tar.gz")
        session.artifacts.link("a/b.csv", "[x]")
        self.processes[0].store.fork_session("one", session_id="two")

    def attempt(self, number, call):
        """Do *call* in process *number*; a refusal changes nothing."""
        self.scanned = None
        with suppress(Error):
            call(self.processes[number].store)

    @rule(number=processes, id=sessions, name=st.sampled_from(["n", None]), tags=st.lists(st.sampled_from("st")))
    def create_session(self, number, id, name, tags):
        template = Templated(name=f"t{len(tags)}") if tags else None
        fields = {"metadata": {"k": len(tags)}, "name": name, "tags": tags, "template": template}
        self.attempt(number, lambda store: store.create_session(session_id=id, **fields))

    @rule(number=processes, parent=sessions, id=sessions, back=st.integers(0, 3))
    def fork(self, number, parent, id, back):
        def call(store):
            position = None
            if back:
                records = [record for _, record in store.session(parent).log.lines()]
                position = _position_after(store.session(parent), len(records) - back)
            store.fork_session(parent, at=position, session_id=id, name="n")

        self.attempt(number, call)

    @rule(number=processes, id=doomed)
    def delete_session(self, number, id):
        self.attempt(number, lambda store: store.delete_session(id))

    @rule(number=processes, id=doomed, verb=st.sampled_from(["suspend", "resume", "complete", "archive"]))
    def step(self, number, id, verb):
        self.attempt(number, lambda store: getattr(store.session(id), verb)())

    @rule(number=processes, id=sessions)
    def save(self, number, id):
        self.attempt(number, lambda store: store.session(id).save())

    @rule(number=processes, id=sessions, name=st.sampled_from(["n", "N", None]), metadata=metadata)
    def update(self, number, id, name, metadata):
        self.attempt(number, lambda store: store.session(id).update(name=name, metadata=metadata, description="words"))

    @rule(number=processes, id=sessions, key=st.sampled_from("pq"), value=st.sampled_from([1, None, "x" * 9000]))
    def set_state(self, number, id, key, value):
        self.attempt(number, lambda store: store.session(id).values.set(key, value))

    @rule(number=processes, id=sessions, key=st.sampled_from("pq"))
    def delete_state(self, number, id, key):
        self.attempt(number, lambda store: store.session(id).values.delete(key))

    @rule(number=processes, id=sessions, data=st.sampled_from([{}, {"duration_ns": "no"}, {"long": "x" * 70_000}]))
    def record(self, number, id, data):
        self.attempt(number, lambda store: store.session(id).record("tool.invoked", data))

    @rule(number=processes, id=sessions, path=paths, size=st.sampled_from([0, 5, 20_000]), attributes=attributes)
    def put(self, number, id, path, size, attributes):
        def call(store):
            store.session(id).artifacts.put(path, store.objects.put_bytes(bytes(size)), **attributes)

        self.attempt(number, call)

    @rule(number=processes, id=sessions, path=paths, attributes=attributes)
    def make_directory(self, number, id, path, attributes):
        self.attempt(number, lambda store: store.session(id).artifacts.make_directory(path, **attributes))

    @rule(number=processes, id=sessions, path=paths)
    def make_symlink(self, number, id, path):
        self.attempt(number, lambda store: store.session(id).artifacts.make_symlink(path, "\udcff"))

    def existing(self, data, id):
        """Choose the path of an artifact that is there."""
        nodes = []
        with suppress(Error):
            store = Store(self.path)
            nodes = [path for path, _ in store.session(id).tree.walk()]
            store.close()
        return data.draw(st.sampled_from([*nodes, "a"]))

    @rule(number=processes, id=sessions, name=paths, verb=st.sampled_from(["rename", "link", "copy"]), data=st.data())
    def move(self, number, id, name, verb, data):
        source = self.existing(data, id)
        self.attempt(number, lambda store: getattr(store.session(id).artifacts, verb)(source, name))

    @rule(number=processes, id=sessions, data=st.data())
    def exchange(self, number, id, data):
        source, target = self.existing(data, id), self.existing(data, id)
        self.attempt(number, lambda store: store.session(id).artifacts.exchange(source, target))

    @rule(number=processes, id=sessions, data=st.data())
    def delete(self, number, id, data):
        path = self.existing(data, id)
        self.attempt(number, lambda store: store.session(id).artifacts.delete(path, recursive=True))

    @rule(number=processes, id=sessions, attributes=attributes, data=st.data())
    def change(self, number, id, attributes, data):
        path = self.existing(data, id)
        self.attempt(number, lambda store: store.session(id).artifacts.change(path, **attributes))

    # What goes wrong

    @rule(id=sessions, tail=st.sampled_from([b'{"seq":', b"\0" * 50, b"\0" * 5 + b"\n"]))
    def tear(self, id, tail):
        """A writer is killed, or the power is cut, in the middle of an append: nobody touches the mark."""
        self.scanned = None
        with suppress(FileNotFoundError), open(f"{self.path}/sessions/{id}/log", "r+b") as log:
            log.seek(0, os.SEEK_END)
            log.write(tail)
        self.restart_all()

    @rule(id=sessions, count=st.integers(1, 2))
    def cut_power(self, id, count):
        """The last records of a log are lost, which the index had read."""
        self.scanned = None
        with suppress(FileNotFoundError), open(f"{self.path}/sessions/{id}/log", "r+b") as log:
            lines = log.readlines()
            if len(lines) > count:
                log.truncate(sum(map(len, lines[:-count])))
        self.restart_all()

    @rule(id=doomed, part=st.floats(0.1, 0.9))
    def damage(self, id, part):
        """The disk changes what has been read: that is met when the log is read anew, which a later time makes it."""
        self.scanned = None
        self.processes[0].index.refresh()
        place = f"{self.path}/sessions/{id}/log"
        with suppress(FileNotFoundError):
            with open(place, "r+b") as log:
                content = log.read()
                log.seek(int(len(content) * part))
                log.write(b"#")
            os.utime(place, ns=(self.clock(), self.clock()))
        self.restart_all()
        self.processes[0].index.refresh()

    @rule(number=processes)
    def restart(self, number):
        self.processes[number].close()
        self.processes[number] = Process(self.path, self.clock)

    def restart_all(self):
        for number in range(2):
            self.restart(number)

    @rule(number=processes)
    def let_time_pass(self, number):
        """So much that this process looks for itself, at the index too, instead of trusting what it is told."""
        self.processes[number].index._keeper._looked_at = -inf

    @rule(number=processes)
    def rebuild(self, number):
        self.processes[number].index.rebuild()

    @rule(number=processes, way=st.sampled_from(["drop", "unlink", "garbage", "empty"]))
    def lose_index(self, number, way):
        place = f"{self.path}/index.sqlite"
        if way == "drop":
            self.processes[number].index.drop()
        elif way == "unlink":
            with suppress(FileNotFoundError):
                os.unlink(place)
        else:
            with suppress(FileNotFoundError):
                os.unlink(place)
            with open(place, "wb") as file:
                file.write(b"garbage" * 1000 if way == "garbage" else b"")

    # What must be so

    def everything_is_the_same(self):
        """All that the index has, in every process, and made anew."""
        expected = self.expected()
        for subject, text in ((Subject.SESSIONS, ""), (Subject.ARTIFACTS, "kind:* ")):
            query = self.parse(text, subject, subject is Subject.ARTIFACTS)
            for number, process in enumerate(self.processes):
                found = [comparable(one) for one in process.index.find(query, Page())]
                assert found == expected.find(query, Page())
                if number == 0:
                    process.index.rebuild()

    def expected(self):
        if self.scanned is None:
            self.scanned = Naive(self.path)
        return self.scanned

    def parse(self, text, subject, versions=False):
        # Of a log that is damaged nobody knows what was there once.
        all_versions = " versions:all" if versions and not self.expected().has_lost_history else ""
        return parse_query(text + all_versions, subject, now_ns=self.now_ns)

    @rule(
        number=processes,
        asked=queries,
        order=st.tuples(st.sampled_from(["created", "updated", "size", "name"]), st.booleans()),
        offset=st.sampled_from([0, 0, 2]),
        limit=st.sampled_from([None, None, 0, 1, 3]),
    )
    def a_query_is_answered(self, number, asked, order, offset, limit):
        query = self.parse(*asked)
        page = make_page(query.subject, sort=order[0], reverse=order[1], offset=offset, limit=limit)
        found = [comparable(one) for one in self.processes[number].index.find(query, page)]
        assert found == self.expected().find(query, page)

    @rule(number=processes)
    def what_was_found_is_so_while_the_generation_is_the_same(self, number):
        process = self.processes[number]
        process.index.refresh()
        generation = process.index.generation
        found = [comparable(one) for one in process.index.find(parse_query("kind:*"), Page())]
        if process.kept is not None and process.kept[0] == generation:
            assert process.kept[1] == found
        process.kept = generation, found

    @rule(number=processes, asked=queries)
    def a_query_is_counted(self, number, asked):
        query = self.parse(*asked)
        assert self.processes[number].index.count(query) == self.expected().count(query)

    @rule(number=processes, asked=queries, sort=st.integers(0, 7), reverse=st.booleans(), limit=st.integers(1, 3))
    def pages_are_what_there_is(self, number, asked, sort, reverse, limit):
        text, subject, _ = asked
        query = self.parse(text, subject)
        index, key = self.processes[number].index, list(SORTS[subject])[sort]
        found, cursor = [], None
        while True:
            page = make_page(subject, sort=key, reverse=reverse, limit=limit, cursor=cursor)
            some = list(index.find(query, page))
            found += [comparable(one) for one in some]
            if len(some) < limit:
                break
            cursor = format_cursor(page.order, place_of(some[-1], page.order))
        assert found == self.expected().find(query, Page(order=Order(key, reverse)))


def comparable(found):
    """Return something that was found as the full scan has it."""
    if not hasattr(found, "is_live"):
        return found
    return Artifact(**{field: getattr(found, field) for field in Artifact._fields})


def _position_after(session, count):
    """Return the place behind the first so many records of a session."""
    position, offset = None, 0
    for line, record in session.log.lines():
        offset += len(line)
        if record.seq + 1 == count:
            position = Position(count, offset, record.chain, record.base)
    return position


TestIndexes = Indexes.TestCase
TestIndexes.settings = settings(max_examples=settings().max_examples // 3)
