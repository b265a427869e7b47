# shellcheck shell=bash
# Sets up what tools/run and tools/test need; sourced by both, from the repository's root.
# It looks before it acts, so that a second run has nothing to do.

# Where Debian puts mkfs.*; the PATH of who is not root lacks it, and so does one that su has kept.
PATH=$PATH:/usr/sbin:/sbin

# What `time` prints after a step.
TIMEFORMAT='    %1R s'

die() {
    printf '\n%s: %s\n' "$0" "$*" >&2
    exit 1
}

# set_up run|dev PACKAGE...: the system packages, and .venv with sessionfs in it, with the dev extras or without.
set_up() {
    local extras=$1 packages=(fuse3 "${@:2}")
    [[ $(uname -s) == Linux ]] || die "sessionfs needs Linux; this is $(uname -s)."
    if is_installed "$extras"; then
        need "${packages[@]}"
        compile
        return
    fi
    if venv_works; then python=$PWD/.venv/bin/python; else find_python; fi
    # pyfuse3 comes as source and is compiled against libfuse and Python.
    local name
    name=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    need "${packages[@]}" gcc libc6-dev pkg-config libfuse3-dev "$name-dev" "$name-venv"
    venv_works || make_venv
    install "$extras"
    compile
}

# --- system packages

# has PACKAGE: is what the Debian package gives here, wherever it came from? So this works without dpkg too.
has() {
    case $1 in
    acl) command -v setfacl ;;
    attr) command -v setfattr ;;
    fuse3) command -v fusermount3 ;;
    inotify-tools) command -v inotifywait ;;
    e2fsprogs) command -v mkfs.ext4 ;;
    xfsprogs) command -v mkfs.xfs ;;
    btrfs-progs) command -v mkfs.btrfs ;;
    libc6-dev) gcc -E -include stdio.h -x c /dev/null ;;
    libfuse3-dev) pkg-config --exists fuse3 ;;
    python3*-dev) "$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' ;;
    python3*-venv) "$python" -c 'import ensurepip' ;;
    *) command -v "$1" ;;
    esac &>/dev/null
}

# need PACKAGE...: installs those that are missing, or says how to and exits.
need() {
    local package missing=() as_root=()
    for package; do
        has "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    command -v apt-get >/dev/null ||
        die "these are missing (Debian's names): ${missing[*]}. Install what gives them here, then run this again."
    local by_hand="apt-get update && apt-get install ${missing[*]}"
    if ((EUID)); then
        command -v sudo >/dev/null || die "these packages are missing and there is no sudo. As root, run: $by_hand"
        as_root=(sudo)
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get)
    echo "==> Installing packages: ${missing[*]}"
    # A machine that has just booted may hold dpkg's lock for its own upgrades.
    time {
        quietly "${apt[@]}" update &&
            quietly "${apt[@]}" -o DPkg::Lock::Timeout=120 install --yes "${missing[@]}"
    } || die "apt could not install them. As root, run: $by_hand"
    for package in "${missing[@]}"; do
        has "$package" || die "$package is installed, but ${python:-this system} does not find what it gives."
    done
}

# want PACKAGE...: installs those that the distribution has; does without the others.
want() {
    local package there=()
    for package; do
        if has "$package" || apt-cache show "$package" &>/dev/null; then
            there+=("$package")
        else
            echo "==> Going on without $package, which this system's archive does not have"
        fi
    done
    need "${there[@]}"
}

# --- Python

# Sets $python to the first interpreter from 3.11 on that pyfuse3 can be compiled for: its headers are here, or
# it is the distribution's own, whose headers are a package.
find_python() {
    local candidate unusable=
    while read -r candidate; do
        # A pyenv shim may stand for no version at all: what counts is whether it runs, and as what.
        python=$("$candidate" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys.executable)' \
            2>/dev/null) || continue
        python=$(readlink -f "$python")
        if has python3-dev || [[ $python == /usr/bin/* ]]; then return; fi
        unusable=$python
    done < <(type -aP python3 python3.{14,13,12,11})
    [[ -z $unusable ]] || die "$unusable has no Python.h: install its development files, then run this again."
    die "no Python 3.11 or newer found: install one (on Debian: apt-get install python3), then run this again."
}

# False for a .venv that was interrupted, was moved, or whose interpreter is gone or was replaced.
venv_works() {
    grep -qF "$(pwd -P)/.venv" .venv/bin/activate &&
        .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))'
} 2>/dev/null

make_venv() {
    echo "==> Making .venv with $python"
    rm -rf .venv || die "cannot replace .venv, which does not work here: remove it, then run this again."
    time quietly "$python" -m venv "$(pwd -P)/.venv" || die "could not make .venv with $python."
}

# The copy of pyproject.toml beside an installation says what was installed. It is written last, so an
# interrupted installation is done again.
is_installed() {
    cmp -s pyproject.toml ".venv/installed-$1" && venv_works
}

install() {
    local what=. stamps=(.venv/installed-run)
    [[ $1 != dev ]] || what='.[dev]' stamps+=(.venv/installed-dev)
    echo "==> Installing sessionfs into .venv"
    time quietly .venv/bin/python -m pip install --disable-pip-version-check --editable "$what" ||
        die "pip could not install sessionfs."
    tee "${stamps[@]}" <pyproject.toml >/dev/null
}

# Bytecode, also where PYTHONDONTWRITEBYTECODE keeps Python from writing it: without, every command takes twice as long.
compile() {
    .venv/bin/python -m compileall -q sessionfs || die "sessionfs does not compile with .venv/bin/python."
}

# quietly COMMAND...: shows its output only when it fails.
quietly() {
    local output
    output=$("$@" 2>&1 </dev/null) || {
        local status=$?
        printf '%s\n' "$output" >&2
        return "$status"
    }
}
