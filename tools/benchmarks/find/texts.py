"""What is measured of looking into contents: the sources of the standard library, beside ripgrep on the same files.

By hand means: ``rg`` (``grep -r`` where there is none) on the directory that was loaded. For words that is not the same
question, but the one that somebody without an index asks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter_ns

import sessionfs
from benchmarks.measure import Progress, Result, Skipped, time_call
from benchmarks.program import console_script
from benchmarks.scratch import Scratch

_SUFFIXES = (".py", ".txt", ".rst", ".md", ".json", ".cfg")

PATTERNS = (
    ("a rare word", "zlib_decompress"),
    ("a common word", "import"),
    ("an expression", r"def \w+_handler"),
    ("nothing", "no such thing"),
)
WORDS = (("a rare word", "zlib"), ("a common word", "import"), ("a phrase", '"regular expression"'))


def measure_texts(
    scratch: Scratch, rounds: int, matches: Callable[[str], bool], progress: Progress
) -> Iterator[Result]:
    """Yield a result for each row about contents."""
    greps = [(f"sessionfs grep {what}", ["grep", "-c", pattern], pattern) for what, pattern in PATTERNS]
    searches = [(f"sessionfs search {what}", ["search", words], words.strip('"')) for what, words in WORDS]
    index = "index the words of the standard library"
    wanted = [name for name in (index, *(row[0] for row in (*greps, *searches))) if matches(name)]
    if not wanted:
        return
    progress("loading the standard library")
    source, place = scratch.new(), os.path.join(scratch.new(), "store")
    _copy_texts(source)
    with sessionfs.open(place, create=True, background_sync=False) as store:
        store.sessions.create(id="library").artifacts.put_tree(source)
        store.index.refresh()
        progress(index)
        seconds = time_call(store.texts.rebuild) / 1e9
    if index in wanted:
        yield Result(index, seconds, time_call(lambda: _read_all(source)) / 1e9, "s")
    for name, words, pattern in (*greps, *searches):
        if name in wanted:
            progress(name)
            yield _beside(name, [console_script(), *words, "--store", place], _by_hand(pattern, source), rounds)


def _copy_texts(target: str) -> None:
    """Copy the texts of the standard library, without what is compiled and installed."""
    library = sysconfig.get_paths()["stdlib"]
    for directory, names, files in os.walk(library):
        names[:] = [name for name in names if name not in ("site-packages", "__pycache__")]
        inside = os.path.join(target, os.path.relpath(directory, library))
        os.makedirs(inside, exist_ok=True)
        for name in files:
            if name.endswith(_SUFFIXES):
                shutil.copy(os.path.join(directory, name), inside)


def _read_all(directory: str) -> None:
    for inside, _, files in os.walk(directory):
        for name in files:
            with open(os.path.join(inside, name), "rb") as file:
                file.read()


def _by_hand(pattern: str, directory: str) -> list[str]:
    if shutil.which("rg") is not None:
        return ["rg", "-c", pattern, directory]
    if shutil.which("grep") is None:
        raise Skipped("There is neither rg nor grep here.")
    return ["grep", "-rcP", pattern, directory]


def _beside(name: str, ours: list[str], by_hand: list[str], rounds: int) -> Result:
    """Run both programs in turn, from start to end."""
    ns: dict[str, list[float]] = {ours[0]: [], by_hand[0]: []}
    for _ in range(rounds):
        for command in (ours, by_hand):
            started = perf_counter_ns()
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            ns[command[0]].append(perf_counter_ns() - started)
            if done.returncode not in (0, 1):
                raise Skipped(f"{' '.join(command)} exited with {done.returncode}: {done.stderr.decode().strip()}")
    return Result(name, median(ns[ours[0]]) / 1e6, median(ns[by_hand[0]]) / 1e6, "ms")
