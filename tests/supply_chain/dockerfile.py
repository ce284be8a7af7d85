"""The steps of deploy/Dockerfile, for a machine without a builder: read, and carried out in root folders.

It knows what that file uses, and raises ImageError at anything else, so that nothing is left out in silence. A stage
begins as a copy of a base, in place of the image that FROM names.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = ("/etc/resolv.conf", "/etc/ssl/certs")
"""What a step has of this machine, to reach package registries; nothing of it stays."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ImageError(Exception):
    """A step that is not known, or does not work; the message has what was printed."""


@dataclass
class Stage:
    """A root, and what instructions have said of it."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    folder: str = "/"
    user: str = "0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, the rest of its line), comments left out."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


@dataclass
class Build:
    """What is under way.

    context: the folder from which COPY copies, without what is compiled or bytecode. network: environment by which a
    step reaches package registries. stages: those before, by name. stage: the one at hand.
    """

    context: Path
    network: Mapping[str, str]
    stage: Stage
    stages: dict[str, Stage] = field(default_factory=dict)


def build(dockerfile: Path, context: Path, base: Path, folder: Path, network: Mapping[str, str]) -> Stage:
    """Carry out every step; the last stage.

    base: a root. folder: is made; of the stages' roots. context, network: of Build. Raises ImageError.
    """
    folder.mkdir(parents=True)
    under_way: Build | None = None
    for word, rest in instructions(dockerfile.read_text("utf-8")):
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "final"
            stage = Stage(folder / name)
            subprocess.run(["cp", "--archive", str(base), str(stage.root)], check=True)  # with its devices
            if under_way is None:
                under_way = Build(context, network, stage)
            under_way.stage = under_way.stages[name] = stage
        elif under_way is None or word not in STEPS:
            raise ImageError(f"{word} is not known here")
        else:
            STEPS[word](under_way, rest)
    if under_way is None:
        raise ImageError("no stage")
    return under_way.stage


def _env(build: Build, rest: str) -> None:
    for said in shlex.split(rest):
        name, _, text = said.partition("=")
        build.stage.environment[name] = text.replace("$PATH", build.stage.environment["PATH"])


def _run(build: Build, rest: str) -> None:
    root = build.stage.root
    mounts = [f"mount --rbind /dev {root}/dev", f"mount --rbind /proc {root}/proc"]
    for path in NETWORK:
        there = root / path.lstrip("/")
        if not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
        mounts.append(f"mount --bind {path} {there}")
    command = ["/bin/sh", "-c", f"cd {build.stage.folder} && {rest}"]
    done = apart(mounts, root, command, {**build.network, **build.stage.environment})
    if done.returncode:
        raise ImageError(f"status {done.returncode} of RUN {rest}:\n{done.stdout[-4000:]}")


def _copy(build: Build, rest: str) -> None:
    *sources, into = rest.split()
    of_stage = sources[0].startswith("--from=")
    begin = build.stages[sources.pop(0).removeprefix("--from=")].root if of_stage else build.context
    ignore = None if of_stage else shutil.ignore_patterns("__pycache__", "*.so")  # as Dockerfile.dockerignore does
    for source in sources:
        path, target = begin / source.lstrip("/"), build.stage.root / into.lstrip("/")
        if path.is_dir():
            shutil.copytree(path, target, symlinks=True, ignore=ignore, dirs_exist_ok=True)
        else:
            target = target / path.name if into.endswith("/") else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _user(build: Build, rest: str) -> None:
    build.stage.user = rest


def _workdir(build: Build, rest: str) -> None:
    build.stage.folder = rest
    (build.stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _entrypoint(build: Build, rest: str) -> None:
    build.stage.entrypoint = json.loads(rest)


def _cmd(build: Build, rest: str) -> None:
    build.stage.command = json.loads(rest)


def _expose(build: Build, rest: str) -> None:
    """Says something to people alone."""


STEPS: Mapping[str, Callable[[Build, str], None]] = {
    "ENV": _env,
    "RUN": _run,
    "COPY": _copy,
    "USER": _user,
    "WORKDIR": _workdir,
    "ENTRYPOINT": _entrypoint,
    "CMD": _cmd,
    "EXPOSE": _expose,
}
"""What an instruction does to a build, given the rest of its line. FROM, which begins a stage, is not among them."""


def apart(
    mounts: Sequence[str], root: Path, command: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in a root, with mounts of its own; what it printed is in `stdout`."""
    return subprocess.run(
        line_of(mounts, root, command, environment),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip


def line_of(mounts: Sequence[str], root: Path, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command line that does it; the process is the command itself in the end, so that signals reach it."""
    said = [f"{name}={text}" for name, text in environment.items()]
    script = "; ".join(["set -e", *mounts, f"exec chroot {root} {shlex.join(['/usr/bin/env', '-i', *said, *command])}"])
    return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script]
