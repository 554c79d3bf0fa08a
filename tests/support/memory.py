"""Where files that nobody keeps are quickest: in memory, on machines that offer it."""

import os
import shutil
from pathlib import Path

_FOLDER = Path("/dev/shm")
_ROOM_BYTES = 2 * 1024**3


def folder() -> Path | None:
    """Linux's file system in memory, or None where there is none, it is small, or programs may not be run from it."""
    if not _FOLDER.is_dir() or not os.access(_FOLDER, os.W_OK) or os.statvfs(_FOLDER).f_flag & os.ST_NOEXEC:
        return None
    return _FOLDER if shutil.disk_usage(_FOLDER).free >= _ROOM_BYTES else None
