"""A store of any size in seconds: logs written as sessionfs would have written them, without any content.

Each line is made by hand and chained to the one before it. The objects that the records name are not there, which
nobody notices who reads names, tags and sizes.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

from sessionfs.clock import format_time
from sessionfs.log.framing import AFTER_CHAIN, BEFORE_CHAIN, chain_of
from sessionfs.store.store import Store

_START_NS = 1_760_000_000_000_000_000
_STEP_NS = 37_000_000  # between two records
_TYPES = ("tool_result", "log", "data", "document", "code", "image", "model", "config")
_TYPE_WEIGHTS = (30, 25, 20, 10, 8, 5, 1, 1)
_ENDINGS = ("csv", "log", "json", "md", "py", "png", "txt", "bin")
_DEPARTMENTS = ("sales", "research", "support", "finance", "legal")
_TOOLS = ("search", "read_file", "write_file", "run_tests", "plot")


def write_large_store(place: str, *, session_count: int, artifact_count: int, seed: int = 1) -> None:
    """Make a store at *place* with so many sessions, and so many artifacts in each.

    A tenth of the artifacts has two versions, and each ten come with a directory and the call of a tool. Of tags, q1 to
    q4 are on a quarter each, ``rare`` is on one in 10,000, ``checked`` on one in ten.
    """
    Store.create(place)
    choose = random.Random(seed)
    for number in range(session_count):
        session_id = f"s{number:06d}"
        directory = f"{place}/sessions/{session_id}"
        os.mkdir(directory)
        records = _records(session_id, number, artifact_count, choose)
        time_ns = _START_NS + number * artifact_count * _STEP_NS
        with open(f"{directory}/log", "wb", buffering=1 << 20) as log:
            log.writelines(_lines(session_id, records, time_ns))
        os.close(os.open(f"{place}/changed/{session_id}", os.O_CREAT | os.O_WRONLY, 0o666))


def _lines(session_id: str, records: Iterator[tuple[str, str]], time_ns: int) -> Iterator[bytes]:
    chain = session_id
    for seq, (type, data) in enumerate(records):
        time = format_time(time_ns + seq * _STEP_NS)
        body = f'{{"seq":{seq},"time":"{time}","type":"{type}","actor":"uid:1000","data":{data},"base":0'.encode()
        chain = chain_of(chain, body)
        yield body + BEFORE_CHAIN + chain.encode() + AFTER_CHAIN + b"\n"


def _records(session_id: str, number: int, count: int, choose: random.Random) -> Iterator[tuple[str, str]]:
    tags = f'["nightly","run{number % 100}"]'
    yield (
        "session.created",
        f'{{"id":"{session_id}","name":"Run {number}","tags":{tags},"metadata":{{"number":{number}}}}}',
    )
    for place in range(count):
        part = place // 10
        if place % 10 == 0:
            yield "artifact.stored", f'{{"path":"part{part}","kind":"directory","ino":{1 << 51 | 2 * place}}}'
            tool = choose.choice(_TOOLS)
            yield "tool.invoked", f'{{"gen_ai.tool.name":"{tool}","duration_ns":{choose.randrange(1 << 30)}}}'
        path = f"part{part}/result-{choose.randrange(10_000):04d}-{place}.{choose.choice(_ENDINGS)}"
        yield "artifact.stored", _stored(path, number, place, choose)
        if place % 10 == 3:
            yield "artifact.stored", f'{{"path":"{path}",{_content(choose)}}}'


def _stored(path: str, number: int, place: int, choose: random.Random) -> str:
    kind = choose.choices(_TYPES, _TYPE_WEIGHTS)[0]
    tags = [f'"q{place % 4 + 1}"']
    if place % 10 == 0:
        tags.append('"checked"')
    if choose.randrange(10_000) == 0:
        tags.append('"rare"')
    department, author = choose.choice(_DEPARTMENTS), choose.randrange(500)
    metadata = f'{{"dept":"{department}","author":"user{author}","score":{choose.random():.4f}}}'
    return (
        f'{{"path":"{path}","ino":{1 << 51 | 2 * place + 1},{_content(choose)},"type":"{kind}",'
        f'"tags":[{",".join(tags)}],"metadata":{metadata}}}'
    )


def _content(choose: random.Random) -> str:
    size = int(choose.lognormvariate(9, 2.5))
    return f'"oid":"{choose.randbytes(32).hex()}","size":{size}'
