"""Replaces a file as a whole: after a crash or a loss of power it holds the old content or the new, never a part."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

_NO_FOLDER_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""Errors of file systems that cannot write a folder's entries to the disk on request (some network shares)."""


def replace_file(path: Path, content: bytes, *, several_writers: bool = False) -> None:
    """Write the content beside the file, put it on the disk, and rename it over the file; folders are made.

    Args:
        path: the file; it need not exist.
        content: the whole new content.
        several_writers: processes may replace the file at the same time, so each writes under a name of its own;
            otherwise the name is always the same, so that killed processes leave no more than one unfinished file.

    Raises:
        OSError: the disk refuses; the file is as it was, and the room of the unfinished one is free again.
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
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Put the renaming on the disk too: without it a loss of power may bring the old file back."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(fd)
