"""The installed program as a process: streams, signals, full and read-only disks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SESSIONFS = Path(sys.executable).with_name("sessionfs")


@pytest.fixture
def program(q4):
    """Runs the installed program in the directory and environment of ``q4``."""

    def run(*argv: str, **options) -> subprocess.CompletedProcess[bytes]:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.run([SESSIONFS, *argv], cwd=q4.cwd, env=env(q4), timeout=60, **{**streams, **options})

    assert SESSIONFS.exists(), "install the package: pip install -e ."
    return run


def env(cli) -> dict[str, str]:
    return {**os.environ, **cli.env, "SESSIONFS_SESSION": ""}


def test_the_installed_program(program, q4):
    q4.write("a.txt", "hello\n")
    assert program("artifact", "put", "@", "a.txt").returncode == 0
    done = program("artifact", "cat", "@", "a.txt")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello\n", b"")
    done = program("artifact", "cat", "@", "missing")
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr == b"sessionfs: artifact cat: there is no artifact 'missing' in this session\n"
    assert program("--version").stdout.startswith(b"sessionfs ")


def test_in_a_directory_that_was_removed(q4):
    def run(*argv: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        words = ["sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "sh", str(SESSIONFS), *argv]
        return subprocess.run(words, cwd=q4.cwd, env={**env(q4), **variables}, capture_output=True, timeout=60)

    assert run("use").stdout == b"q4\n"
    assert run("--store", str(q4.store), "use", SESSIONFS_STORE="").stdout == b"q4\n"
    for nowhere in (run("use", SESSIONFS_STORE=""), run("run", "@", "--", "true")):
        assert nowhere.returncode == 3
        assert b"the current directory was removed; go to another one" in nowhere.stderr


def test_as_a_module(q4):
    command = [sys.executable, "-m", "sessionfs", "use"]
    assert subprocess.run(command, cwd=q4.cwd, env=env(q4), capture_output=True, timeout=60).stdout == b"q4\n"


def test_standard_output_that_is_full(program, q4):
    q4.ok("state", "set", "@", "k", "1")
    with open("/dev/full", "wb") as full:
        for verb in (["session", "list"], ["cat-log", "@"], ["--help"], ["state", "get", "@", "k"]):
            done = program(*verb, stdout=full)
            assert done.returncode == 5, verb
            assert b"No space left on device" in done.stderr


def test_standard_output_that_nobody_reads(program):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = program("cat-log", "@", stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_standard_output_that_is_closed(program, q4):
    close = "exec 1>&-; exec " + str(SESSIONFS)
    options = {"cwd": q4.cwd, "env": env(q4), "capture_output": True, "timeout": 60}
    done = subprocess.run(["sh", "-c", f"{close} session list"], **options)
    assert done.returncode != 0 and b"standard output: Bad file descriptor" in done.stderr
    assert subprocess.run(["sh", "-c", f"{close} state set @ k 1"], **options).returncode == 0
    done = subprocess.run(["sh", "-c", f"exec 0<&- 2>&-; exec {SESSIONFS} use"], **options)
    assert (done.returncode, done.stdout) == (0, b"q4\n")


def test_names_in_an_encoding_that_lacks_them(program, q4):
    q4.write("Grüße", "x")
    q4.ok("artifact", "put", "@", "Grüße")
    ascii_only = {**env(q4), "PYTHONIOENCODING": "ascii"}
    options = {"cwd": q4.cwd, "env": ascii_only, "capture_output": True, "timeout": 60}
    done = subprocess.run([SESSIONFS, "artifact", "list", "@"], **options)
    assert (done.returncode, done.stdout) == (0, b"Gr\\xfc\\xdfe\n")
    done = subprocess.run([SESSIONFS, "artifact", "list", "@", "--json"], **options)
    assert b'"path": "Gr\\u00fc\\u00dfe"' in done.stdout


def test_interrupted(q4):
    """What is interrupted stores nothing, and exits with 130."""
    command = [SESSIONFS, "artifact", "put", "@", "-", "--as", "never"]
    process = subprocess.Popen(
        command,
        cwd=q4.cwd,
        env=env(q4),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell's background jobs ignore the signal, and so would whatever they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # More than a pipe holds: when the write is over, the verb is reading.
    process.stdin.write(os.urandom(1 << 20))
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    # A signal that comes just before Python's read(2) begins does not end it; the end of the input does, and the
    # signal, which was there first, is looked at before what was read.
    process.stdin.close()
    process.wait(timeout=60)
    assert (process.returncode, process.stdout.read(), process.stderr.read()) == (130, b"", b"")
    process.stdout.close()
    process.stderr.close()
    assert q4.ok("artifact", "list", "@").out == ""


def mounted_elsewhere(cli, mount: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run *command* where *mount* has been run, in a mount namespace that ends with it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("there is no unshare here")
    own = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--mount", "--user", "--map-root-user"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("namespaces are not allowed here")
    script = f"set -e; {mount}; PATH={SESSIONFS.parent}:$PATH; set +e; {command}"
    return subprocess.run(
        [*own, "sh", "-c", script], cwd=cli.cwd, env=env(cli), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_full_disk(bare):
    bare.store.mkdir()
    script = """
        sessionfs init && sessionfs session create --id s --use || exit 99
        head -c 3000000 /dev/urandom >big; echo small >small
        sessionfs artifact put @ big; echo "code $?"
        sessionfs artifact list @
        sessionfs artifact put @ small && sessionfs artifact cat @ small && sessionfs fsck; echo "code $?"
    """
    done = mounted_elsewhere(bare, f"mount -t tmpfs -o size=2m none '{bare.store}'", script)
    assert done.stdout.splitlines()[2:3] == ["code 5"], done
    assert done.stdout.splitlines()[-2:] == ["small", "code 0"], done
    assert done.stderr.startswith("sessionfs: artifact put: could not store an object")
    assert "No space left on device; free space and try again" in done.stderr


def test_a_read_only_disk(q4):
    q4.write("a", "x")
    q4.ok("state", "set", "@", "k", "1")
    snapshot = q4.ok("session", "save").out.strip()
    verbs = (
        "session create", "session update --name x", "session save", "session suspend", "session delete q4",
        "artifact put @ a", "state set @ k 2", "state rm @ k", "use --none", "hash-object -w a", "init other",
        f"update-ref @/r {snapshot}",
    )  # fmt: skip
    script = "\n".join(f'sessionfs {verb}; echo "code $?"' for verb in verbs)
    script += '\nsessionfs state get @ k && sessionfs fsck; echo "code $?"'
    root = q4.cwd.parent
    read_only = f"mount --bind '{root}' '{root}' && mount -o remount,ro,bind '{root}' && cd '{q4.cwd}'"
    done = mounted_elsewhere(q4, read_only, script)
    assert done.stdout.splitlines() == ["code 4"] * len(verbs) + ["1", "code 0"], done
    assert done.stderr.count("check the filesystem and the store's permissions") == len(verbs), done.stderr


IMPORTED = """
import os, sys
from sessionfs.cli import main
code = main(sys.argv[1:], os.environ, sys.stdin, open(os.devnull, "w"), sys.stderr)
print(code, *sys.modules)
"""


@pytest.mark.parametrize(
    "verb",
    [
        ["hash-object", "a.txt"],
        ["hash-object", "-w", "a.txt"],
        ["cat-file", "-p", "{oid}"],
        ["ls-tree", "{snapshot}"],
        ["rev-parse", "{snapshot}"],
        ["rev-parse", "@:r"],
        ["show-ref"],
        ["update-ref", "@/r", "{snapshot}"],
    ],
)
def test_plumbing_imports_nothing_that_is_slow(q4, verb):
    """A whole plumbing verb may cost 4 x an empty Python, about 40 ms; msgspec alone is 15 to 27 of them."""
    q4.write("a.txt", "hello\n")
    names = {"oid": q4.ok("hash-object", "-w", "a.txt").out.strip(), "snapshot": q4.ok("session", "save").out.strip()}
    q4.ok("update-ref", "@/r", names["snapshot"])
    command = [sys.executable, "-c", IMPORTED, *(word.format(**names) for word in verb)]
    done = subprocess.run(command, cwd=q4.cwd, env=env(q4), capture_output=True, text=True, timeout=60, check=True)
    code, *imported = done.stdout.split()
    assert code == "0", done
    slow = {"argparse", "asyncio", "dataclasses", "inspect", "msgspec", "pyfuse3", "tomllib", "trio", "sessionfs.api"}
    assert not slow & set(imported)


def _ticks_of_threads(pid: int) -> int:
    """Return how long all threads but the first have been on a processor, in hundredths of a second."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat") if path.parent.name != str(pid)]
    return sum(int(stat.rpartition(")")[2].split()[11]) for stat in stats)


def test_an_interrupt_ends_a_search_that_takes_long(q4):
    q4.ok("artifact", "put", "@", "-", "--as", "as", stdin=b"a" * 80)
    command = [SESSIONFS, "grep", "(a|aa)+$(?<=b)", "--time-limit", "60"]
    searching = subprocess.Popen(command, cwd=q4.cwd, env=env(q4), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while _ticks_of_threads(searching.pid) < 30:
            assert searching.poll() is None
            time.sleep(0.01)
        searching.send_signal(signal.SIGINT)
        assert searching.communicate(timeout=30) == (b"", b"") and searching.returncode == 130
    finally:
        searching.kill()
        searching.communicate()


def test_the_readmes_example_of_who_was_first(q4):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    code = re.search(r"<!-- first -->\n```sh\n(.*?)```", readme, re.DOTALL)[1]
    q4.write("plan.md", "This.\n")
    path = f"{SESSIONFS.parent}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-euc", code], cwd=q4.cwd, env={**env(q4), "PATH": path}, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert q4.ok("artifact", "cat", "@", "plan.md").out == "This.\nAnd this.\n"
    assert q4.ok("state", "get", "@", "owner").out == '"bob"\n'
