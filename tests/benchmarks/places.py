"""Where a benchmark keeps its files: what is stored costs otherwise on a disk than in memory, so both are measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

DISK, MEMORY = "disk", "memory"
IN_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
SHARED_MEMORY = Path("/dev/shm")
ENOUGH = 2 << 30
"""Bytes that must be free in memory."""


def places() -> dict[str, Path]:
    """Folders for temporary files: on an ordinary disk, and in memory, as far as this machine has them."""
    mounts = mounted(Path("/proc/self/mounts").read_text().splitlines())
    found: dict[str, Path] = {}
    for folder in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()):
        if file_system(folder, mounts) not in IN_MEMORY and os.access(folder, os.W_OK):
            found[DISK] = folder
            break
    for folder in (SHARED_MEMORY, Path(tempfile.gettempdir())):
        if folder.is_dir() and file_system(folder, mounts) in IN_MEMORY and _free(folder) >= ENOUGH:
            found[MEMORY] = folder
            break
    return found or {DISK: Path(tempfile.gettempdir())}


def mounted(lines: Iterable[str]) -> dict[Path, str]:
    """The kind of file system by where it is mounted, from the lines of /proc/self/mounts."""
    return {Path(where.replace("\\040", " ")): kind for _, where, kind, *_ in map(str.split, lines)}


def file_system(folder: Path, mounts: dict[Path, str]) -> str:
    """The kind of file system that a folder is on."""
    path = folder.resolve()
    return next((mounts[parent] for parent in (path, *path.parents) if parent in mounts), "")


def _free(folder: Path) -> int:
    about = os.statvfs(folder)
    return about.f_bavail * about.f_frsize if os.access(folder, os.W_OK) else 0
