"""Files that are whole or not there: every file that the package writes is written here.

A write goes to a temporary file in the same folder, reaches the disk (fsync), and then takes the name in one step
(rename), so that a crash, a kill or a full disk leaves the earlier file as it was. A file that grows by lines gets each
in one write at its end, so that only its last line can be torn, and only by a crash within that write.

References: for the order fsync, rename, fsync of the folder: Pillai et al., "All File Systems Are Not Created Equal",
OSDI 2014.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from pathlib import Path

ABANDONED_SECONDS = 3600  # no write takes an hour: an older temporary file belongs to a dead process

PathLike = str | os.PathLike[str]


def write(path: PathLike, content: str | bytes | bytearray) -> None:
    """Writes a file all at once: whatever happens meanwhile, the path holds the earlier file or the new one.

    Args:
        path: the file; replaced if it exists, keeping its permissions. A link is followed.
        content: the bytes, or a text, which is written as UTF-8 with its line ends as they are.

    Raises:
        OSError: the system refuses; the earlier file is as it was, and the message says what to do.
    """
    path = Path(os.path.realpath(path))
    content = content.encode() if isinstance(content, str) else content
    _refuse_unwritable(path)
    remove_temporaries(path.parent, re.escape(path.name), older_than=ABANDONED_SECONDS)
    temporary = _temporary(path)
    try:
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            with os.fdopen(descriptor, "wb") as file:
                with contextlib.suppress(FileNotFoundError):  # a file that others may not read stays such a file
                    os.chmod(temporary, stat.S_IMODE(path.stat().st_mode))
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(
            error.errno,
            f"Cannot save ({error.strerror}); no file was damaged. Make room or choose another place",
            str(path),
        ) from error


def append_line(path: PathLike, line: str) -> None:
    """Adds a line to a file that is there; when this returns, it is on the disk.

    The line and its end are one write at the end of the file (O_APPEND), so a kill before or after it leaves whole
    lines, and lines of several processes do not mix. A line that a crash tore has no end.

    Args:
        path: an existing file. A link is followed.
        line: without a line break; written as UTF-8.

    Raises:
        ValueError: the line has a line break.
        OSError: the system refuses; the file is as it was.
    """
    if "\n" in line or "\r" in line:
        raise ValueError(f"A line to be appended must have no line break, got {line!r}.")
    content = line.encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        before = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, content) < len(content):  # the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError as error:
            os.ftruncate(descriptor, before)
            raise OSError(
                error.errno,
                f"Cannot add a line ({error.strerror}); no line was damaged. Make room and resume",
                str(path),
            ) from error
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Brings a rename to the disk; where folders cannot be opened (Windows), the system sees to it."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_writable(path: PathLike) -> None:
    """Finds out before hours of training whether a file could be written there. Nothing is changed.

    Args:
        path: the file to be written later; it may exist.

    Raises:
        OSError: it could not; the message says why and what to do.
    """
    path = Path(os.path.realpath(path))
    _refuse_unwritable(path)
    trial = _temporary(path)
    try:
        os.close(os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise OSError(
            error.errno,
            f"Cannot write in this folder ({error.strerror}); choose another place",
            str(path.parent),
        ) from None
    trial.unlink()


def _refuse_unwritable(path: Path) -> None:
    """Raises OSError where no file can be: in a folder that is none, or in the place of something else."""
    if not path.parent.exists():
        raise FileNotFoundError(
            errno.ENOENT, "There is no such folder; create it or choose another place", str(path.parent)
        )
    if not path.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "This is a file, not a folder; choose another place", str(path.parent))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "This is a folder; add a file name to the path", str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "This is a pipe or a device, not a file; choose another place", str(path))


def _temporary(path: Path) -> Path:
    """A name beside `path` that no other write uses; `remove_temporaries` knows it."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")


def remove_temporaries(folder: Path, name_pattern: str, *, older_than: int) -> None:
    """Removes what killed writes left of the files whose names match a pattern.

    Args:
        folder: where they are; litter that can't be removed stays.
        name_pattern: a regular expression for the whole name of the files that were to be written.
        older_than: seconds; younger ones may belong to a write that is at work.
    """
    pattern = re.compile(rf"\.{name_pattern}\.[0-9a-f]{{16}}\.tmp")
    # Litter that cannot be removed is no reason to lose what is to be written or read.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name) and time.time() - entry.stat().st_mtime >= older_than:
                os.unlink(entry.path)
