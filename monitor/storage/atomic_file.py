"""Replaces a file as a whole: after a crash or a power failure it holds the old content or the new, never a part."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""Errors of file systems that cannot flush a folder's entries on request (some network shares)."""


def replace_file(path: Path, content: bytes, *, several_writers: bool = False) -> None:
    """Write the content to a file beside ``path``, flush it to the disk, and rename it to ``path``.

    Args:
        path: the file; it and its folders need not exist.
        content: the whole new content.
        several_writers: true if processes may replace the file at the same time; each then writes under a name of its
            own. Otherwise the name is fixed, so that killed processes leave at most one unfinished file.

    Raises:
        OSError: writing failed; the file is unchanged, and the unfinished one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = f".{os.getpid()}.new" if several_writers else ".new"
    unfinished = path.with_name(path.name + suffix)
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk; without it a power failure may undo a renaming or lose a new file."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)
