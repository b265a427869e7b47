"""What installs, builds and runs things: virtual environments, pip, npm, make."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from programs import needs, told
from servers import Mount

MODULES = 40


def make_wheel(directory: Path, version: str) -> Path:
    """Make a wheel with a package of some modules, data and a command."""
    info = f"sample-{version}.dist-info"
    files = {
        "sample/__init__.py": f"version = {version!r}\ndef main():\n    print('sample', version)\n",
        "sample/data/some data.txt": "data\n" * 1000,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: sample\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nsample = sample:main\n",
    }
    files |= {f"sample/sub/module{number}.py": f"number = {number}\n" for number in range(MODULES)}
    record = f"{info}/RECORD"
    lines = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text)}\n")
    path = directory / f"sample-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in (files | {record: "".join(lines) + f"{record},,\n"}).items():
            wheel.writestr(name, text)
    return path


def test_a_virtual_environment_and_pip(mounted: Mount, tmp_path: Path) -> None:
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        pytest.skip("this Python has no ensurepip")
    home = mounted.artifacts / "venv"
    told(sys.executable, "-m", "venv", home)
    python = home / "bin/python"
    # A mount is often where a program's temporary files are, too.
    (mounted.artifacts / "tmp").mkdir()
    quiet = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "TMPDIR": str(mounted.artifacts / "tmp")}

    def pip(*words: str | Path) -> str:
        return told(python, "-m", "pip", "--disable-pip-version-check", *words, env=quiet)

    for version in ("1.0", "1.1"):
        pip("install", "--quiet", make_wheel(mounted.artifacts, version))
        assert told(home / "bin/sample") == f"sample {version}\n"
    imports = "import sample, importlib\n" + "".join(
        f"assert importlib.import_module('sample.sub.module{number}').number == {number}\n" for number in range(MODULES)
    )
    told(python, "-c", imports + "assert sample.__file__.startswith(__import__('sys').prefix)")
    assert {"name": "sample", "version": "1.1"} in json.loads(pip("list", "--format=json"))
    assert pip("check") == "No broken requirements found.\n"
    mounted.stop()
    mounted.start()
    assert told(home / "bin/sample") == "sample 1.1\n"
    pip("uninstall", "--quiet", "--yes", "sample")
    assert not list(home.rglob("*sample*"))
    assert os.listdir(mounted.artifacts / "tmp") == []


def make_tarball(directory: Path, name: str, version: str, files: dict[str, str], **fields: object) -> str:
    """Make a package as ``npm pack`` does and return what a dependency on it is."""
    path = directory / f"{name.replace('/', '-').replace('@', '')}-{version}.tgz"
    manifest = json.dumps({"name": name, "version": version, "main": "index.js", **fields})
    with tarfile.open(path, "w:gz") as archive:
        for inside, text in {"package.json": manifest, **files}.items():
            member = tarfile.TarInfo(f"package/{inside}")
            member.size, member.mode = len(text), 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    return f"file:{path}"


@needs("npm", "node")
def test_npm(mounted: Mount, tmp_path: Path) -> None:
    old_leaf = {"node_modules/leaf/package.json": '{"name": "leaf", "version": "1.0.0"}'}
    old_leaf["node_modules/leaf/index.js"] = "module.exports = 'old leaf'"
    many = {f"lib/{number}.js": f"module.exports = {number}\n" for number in range(MODULES)}
    command = "#!/usr/bin/env node\nconsole.log('command', require('@some/scoped'))\n"
    dependencies = {
        "leaf": make_tarball(tmp_path, "leaf", "2.0.0", {"index.js": "module.exports = 'leaf'", **many}),
        "@some/scoped": make_tarball(
            tmp_path,
            "@some/scoped",
            "1.0.0",
            {"index.js": "module.exports = require('leaf')"},
            dependencies={"leaf": "^2"},
        ),
        # This one brings an older leaf of its own.
        "nested": make_tarball(
            tmp_path,
            "nested",
            "1.0.0",
            {"index.js": "module.exports = require('leaf')", "bin.js": command, **old_leaf},
            dependencies={"leaf": "^1"},
            bundleDependencies=["leaf"],
            bin={"some-command": "bin.js"},
        ),
    }
    app = mounted.artifacts / "app"
    app.mkdir()
    (app / "package.json").write_text(json.dumps({"name": "app", "version": "1.0.0", "dependencies": dependencies}))
    environment = {
        "HOME": str(mounted.artifacts),
        "npm_config_userconfig": os.devnull,
        "npm_config_update_notifier": "false",
    }
    npm = ("npm", "--offline", "--no-audit", "--no-fund", "--cache", str(mounted.artifacts / "cache"))
    program = "console.log(require('leaf'), require('@some/scoped'), require('nested'), require('leaf/lib/7'))"
    told(*npm, "install", cwd=app, env=environment)
    for words in (["ls", "--all"], ["ci"], ["rebuild"]):
        told(*npm, *words, cwd=app, env=environment)
        assert told("node", "-e", program, cwd=app) == "leaf leaf old leaf 7\n"
        assert told("node_modules/.bin/some-command", cwd=app) == "command leaf\n"
    assert (app / "node_modules/.bin/some-command").is_symlink()
    told(*npm, "uninstall", "nested", cwd=app, env=environment)
    assert set(os.listdir(app / "node_modules")) - {".bin"} == {".package-lock.json", "@some", "leaf"}
    mounted.stop()
    mounted.start()
    assert told("node", "-e", "console.log(require('@some/scoped'))", cwd=app) == "leaf\n"


MAKEFILE = """\
$(shell mkdir -p build)
objects = $(patsubst %.c,build/%.o,$(wildcard *.c))
program: build/main.o libparts.a ; $(CC) -o $@ $^
libparts.a: $(filter-out build/main.o,$(objects)) ; rm -f $@ && $(AR) rcs $@ $^
build/%.o: %.c Makefile ; $(CC) -Wall -O1 -MMD -c -o $@ $<
-include $(wildcard build/*.d)
"""


@needs("make", "gcc", "ar")
def test_make_with_parallel_jobs(mounted: Mount) -> None:
    project = mounted.artifacts / "project"
    project.mkdir()
    count = 16
    for number in range(count):
        (project / f"part{number}.h").write_text(f"int part{number}(void);\n")
        include = f'#include "part{number}.h"\n#include "part{(number + 1) % count}.h"\n'
        (project / f"part{number}.c").write_text(f"{include}int part{number}(void) {{ return {number}; }}\n")
    includes = "".join(f'#include "part{number}.h"\n' for number in range(count))
    total = " + ".join(f"part{number}()" for number in range(count))
    (project / "main.c").write_text(f'{includes}#include <stdio.h>\nint main(void) {{ printf("%d\\n", {total}); }}\n')
    (project / "Makefile").write_text(MAKEFILE)

    def make(*words: str) -> list[str]:
        """Return which files were compiled."""
        shown = told("make", "-j4", "CC=gcc", *words, cwd=project)
        return sorted(line.split()[-1] for line in shown.splitlines() if " -c -o " in line)

    assert make() == sorted(["main.c", *(f"part{number}.c" for number in range(count))])
    assert told(project / "program") == "120\n"
    assert make() == []
    (project / "part3.h").touch()
    assert make() == ["main.c", "part2.c", "part3.c"]
    told("sed", "-i", "s/return 3/return 1003/", project / "part3.c")
    assert make() == ["part3.c"]
    assert told(project / "program") == "1120\n"
    mounted.stop()
    mounted.start()
    assert make() == []
    told("make", "--touch", cwd=project)
    assert told(project / "program") == "1120\n"
    stored = [record["data"]["path"] for record in mounted.records() if record["type"] == "artifact.stored"]
    assert stored.count("project/part3.c") == 1
