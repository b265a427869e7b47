"""Saves a text as one kind of editor does: save.py WAY FILE TEXT"""

import ctypes
import os
import sys
import tempfile

AT_FDCWD, RENAME_EXCHANGE = -100, 2

way, path, text = sys.argv[1:]
directory, name = os.path.split(path)
mode = os.stat(path).st_mode & 0o7777
temporary = os.path.join(directory, f".{name}.{os.getpid()}.tmp")


def write(target: str, *, flags: int = os.O_CREAT | os.O_TRUNC) -> None:
    fd = os.open(target, os.O_WRONLY | flags, 0o600)
    os.fchmod(fd, mode)
    for start in range(0, len(text), 1000):
        os.write(fd, text[start : start + 1000].encode())
    os.fsync(fd)
    os.close(fd)


def sync_directory() -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


match way:
    case "rename-over":  # sshfs, gedit, most
        write(temporary)
        os.rename(temporary, path)
        sync_directory()
    case "backup-and-rename":  # Emacs: the old file becomes the backup
        os.rename(path, path + "~")
        write(path)
    case "exclusive-temporary":  # what Python programs do
        with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as file:
            file.write(text)
        os.chmod(file.name, mode)
        os.replace(file.name, path)
    case "link-and-unlink":  # as before rename(2) could be trusted
        write(temporary)
        os.link(path, path + "~old")
        os.unlink(path)
        os.link(temporary, path)
        os.unlink(temporary)
        os.unlink(path + "~old")
    case "exchange":  # both are there at every moment
        write(temporary)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(AT_FDCWD, temporary.encode(), AT_FDCWD, path.encode(), RENAME_EXCHANGE):
            raise OSError(ctypes.get_errno(), "renameat2")
        os.unlink(temporary)
    case "in-place":  # VS Code
        write(path, flags=os.O_TRUNC)
    case "two-temporaries":  # vim's test whether it may write there, then a rename out of the way and back
        write(os.path.join(directory, "4913"), flags=os.O_CREAT | os.O_EXCL)
        os.unlink(os.path.join(directory, "4913"))
        os.rename(path, path + "~")
        write(temporary)
        os.rename(temporary, path)
        os.unlink(path + "~")
