"""What the crash tests do again and again, each in a process of its own."""

from __future__ import annotations

import io
import os

from bench import (
    LONG_VALUE,
    NOISE,
    TEXT,
    has_artifact,
    has_bytes_somewhere,
    has_file,
    has_object,
    has_records,
    has_state,
    has_whole_file_or_none,
)

from sessionfs.durable import Mode, publish
from sessionfs.oid import hash_bytes

TORN = b'{"seq":1,"time":"1999'


def put_objects(bench):
    bench.put(b"small")
    bench.put(TEXT)


def put_a_stream(bench):
    for data in (TEXT, NOISE):
        bench.objects.put_stream(io.BytesIO(data))
        bench.promise(has_object, data)


def put_trees(bench):
    bench.objects.put_json("tree", b"{}")
    bench.promise(has_file, bench.objects._files.path(hash_bytes(b"{}"), ".tree"), b"{}")


def publish_into_a_missing_directory(bench):
    if bench.mode is Mode.FULL:
        bench.promise(has_whole_file_or_none, "/s/objects/new/x", b"x")
    publish(bench.disk, bench.unsynced, bench.mode, b"x", "/s/objects/new/x", staging="/s/tmp")
    bench.promise(has_file, "/s/objects/new/x", b"x")


def replace_a_damaged_object(bench):
    path = bench.objects._files.path(hash_bytes(NOISE), "")
    inner = getattr(bench.disk, "inner", bench.disk)
    if inner.size_at(path) is None:
        inner.put(path, NOISE[:-1])
    bench.put(NOISE)


def stage_in_order(bench):
    with bench.staged() as (staged, finish):
        for number in range(3):
            staged.append(bytes([number]) * 100_000)
        finish()
        staged.append(NOISE)
        finish()


def stage_in_any_order(bench):
    with bench.staged() as (staged, finish):
        for offset in (50_000, 0, 20_000):
            staged.pwrite(NOISE, offset)
        finish()


def go_back_in_what_grew(bench):
    with bench.staged() as (staged, finish):
        staged.append(NOISE * 25)
        staged.pwrite(b"header", 0)
        finish()


def append_to_an_object(bench):
    oid = bench.put(NOISE[:2000]).oid
    for number in range(6):
        with bench.staged(oid) as (staged, finish):
            staged.append(b"%d" % number * 100)
            oid = finish()


def edit_an_object(bench):
    with bench.staged(bench.put(NOISE * 3).oid) as (staged, finish):
        staged.pwrite(b"x" * 10, 5000)
        finish()
        staged.truncate(30_000)
        finish()


def rewrite_an_object(bench):
    with bench.staged(bench.put(NOISE * 3).oid) as (staged, finish):
        staged.pwrite(NOISE, 10)
        staged.pwrite(NOISE, 17_000)
        finish()


def replace_a_damaged_object_by_pieces(bench):
    inner = getattr(bench.disk, "inner", bench.disk)
    oid = hash_bytes(NOISE + b"tail")
    if inner.size_at(bench.objects._files.path(oid, ".chunks")) is None:
        inner.put(bench.objects._files.path(oid, ""), b"")
    with bench.staged(bench.put(NOISE).oid) as (staged, finish):
        staged.append(b"tail")
        finish()


def append_records(bench):
    log = bench.log()
    log.create()
    for number in range(3):
        bench.append(log, number=number)


def append_to_a_torn_log(bench):
    log = bench.log()
    log.create()
    bench.append(log, number=1)
    fd = bench.disk.open(log.path, os.O_WRONLY | os.O_APPEND)
    bench.disk.write(fd, TORN)
    bench.disk.close(fd)
    bench.append(log, number=2)
    bench.promise(has_bytes_somewhere, TORN)


def records_that_name_objects(bench):
    log = bench.log()
    log.create()
    for data in (b"1", TEXT, b"1"):
        bench.append(log, oid=bench.put(data).oid)


def move_a_ref(bench):
    inner = getattr(bench.disk, "inner", bench.disk)
    inner.make_directories("/s/sessions/one/refs")
    for number in range(1, 4):
        bench.move_ref(number)


def use_a_session(bench):
    session = bench.create_session()
    bench.promise(has_records, session.log.position.seq)
    session.artifacts.put("a/b.txt", bench.objects.put_bytes(b"first"))
    bench.promise(has_artifact, ("a/b.txt", "c"), 1)
    session.artifacts.put("a/b.txt", bench.objects.put_bytes(TEXT))
    bench.promise(has_artifact, ("a/b.txt", "c"), 2)
    session.values.set("key", LONG_VALUE)
    bench.promise(has_state, "key", LONG_VALUE)
    session.save()
    bench.promise(has_records, session.log.position.seq)
    session.artifacts.rename("a/b.txt", "c")
    bench.promise(has_artifact, ("c",), 2)
    session.complete()
    bench.promise(has_records, session.log.position.seq)


SCENARIOS = [
    put_objects,
    put_a_stream,
    put_trees,
    stage_in_order,
    stage_in_any_order,
    go_back_in_what_grew,
    append_to_an_object,
    edit_an_object,
    rewrite_an_object,
    publish_into_a_missing_directory,
    replace_a_damaged_object,
    replace_a_damaged_object_by_pieces,
    append_records,
    append_to_a_torn_log,
    records_that_name_objects,
    move_a_ref,
    use_a_session,
]
# They begin with a damaged object.
DAMAGED = [replace_a_damaged_object, replace_a_damaged_object_by_pieces]
# What another process can begin again after a kill.
REPEATABLE = [
    put_objects,
    put_a_stream,
    put_trees,
    stage_in_order,
    append_to_an_object,
    edit_an_object,
    append_records,
    records_that_name_objects,
    move_a_ref,
]
