"""Start a program that dies with its parent: `python tether.py PARENT_PID PROGRAM ARGUMENT...`.

An embedded pipeline must leave nothing running behind, even when it is killed with SIGKILL. The kernel can see to that
(PR_SET_PDEATHSIG), but only the child may ask for it, before it becomes the program. Doing so between fork and exec of
a process full of threads (the database engine's) is unsafe, so this small program asks, then turns into the program;
the process id stays. Where there is no such call (not Linux) the program runs untethered.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tethered(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` tethered to the calling process; start it from the main thread, since the
    kernel takes the end of the starting thread for the end of the parent."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def _main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(f"{command[0]}: the process that started it has ended already")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    _main()
