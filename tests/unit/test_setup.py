"""tools/setup.sh: what it looks for, it finds."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SETUP = Path(__file__).parents[2] / "tools/setup.sh"


def _has(package: str, path: str) -> bool:
    script = f'. "{_SETUP}"; has {package}'
    return subprocess.run(["/bin/bash", "-c", script], env={"PATH": path}, check=False).returncode == 0


def test_what_lies_where_only_root_looks_is_found():
    as_root, as_user = "/usr/sbin:/usr/bin:/sbin:/bin", "/usr/bin:/bin"
    for package in ("e2fsprogs", "xfsprogs", "btrfs-progs"):
        assert _has(package, as_user) == _has(package, as_root)
