"""`make image-steps`: the steps of deploy/Dockerfile in a clean root, and what they make run as Kubernetes runs it.

    python -m tests.supply_chain.image

The clean root is Debian's own of the release that the Dockerfile names, with Debian's Python of the same number in
place of the base image's (no registry of images is asked): made once by debootstrap, which takes minutes, into
build/image. Then every process runs as the user of the image, without capabilities or a way to new ones, with a root
that cannot be written to, and with the two empty folders that the manifests mount: the migration, enrich, identity,
stitch and sink on an Apache Kafka and on ClickHouse's engine of this machine, and collect and serve until they are
ready. The tables must be those of the events.

Needs root, debootstrap, Java and Maven. Exit status: 0 all works; 1 something does not, which is said.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from streams.embedded.clickhouse.access import OWNER
from streams.embedded.kafka import Kafka
from streams.embedded.supervisor import Child, ChildSpec
from streams.settings import Settings, environment
from streams.sources.simulate import Options
from tests.faults import world as world_module
from tests.faults.account import differences
from tests.faults.world import KINDS, ROOT, World, database, world
from tests.supply_chain.dockerfile import Stage, apart, build, line_of
from tests.support.brokers import until
from tests.support.waiting import PATIENCE

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
WRITABLE = ("/var/lib/rihla", "/tmp")
"""Folders that the manifests mount, empty (emptyDir)."""
SECRETS = "/etc/rihla"
"""Below it they mount secrets, as files."""
PACKAGES = "python3,python3-venv,ca-certificates"
CUSTOMERS = 200
OK = 200
KEPT = ("PIP_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
"""What variables of ours begin with that tell a step how to reach package registries."""
MAY_NOT = {
    "touch /written": "Read-only file system",
    "touch /opt/rihla/written": "Read-only file system",
    "chown 0 /tmp": "Operation not permitted",
    "mount -t tmpfs none /tmp": "must be superuser",
}
"""What a process of the image must be refused, and with which words."""


class Refused(Exception):
    """Something that does not work as it must; the message says what."""


def clean_root(folder: Path) -> Path:
    """A root of the Debian that the Dockerfile names, with Python as `python`. Made where there is none yet."""
    root = folder / "base"
    if (root / "usr/local/bin/python").is_symlink():
        return root
    (release,) = set(re.findall(r"^FROM python:[\d.]+-slim-(\w+)", DOCKERFILE.read_text("utf-8"), re.MULTILINE))
    shutil.rmtree(root, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    said = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    site = subprocess.run(said, capture_output=True, text=True, check=True).stdout.split()[0]
    made = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", release, str(root), site]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    return root


class Pod:
    """The image's processes, as the manifests run them. secrets: files by name, below SECRETS."""

    def __init__(self, stage: Stage, secrets: Path) -> None:
        self._stage, self._secrets = stage, secrets
        for folder in (*WRITABLE, SECRETS):
            (stage.root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def line(self, command: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        """The command line that runs a command of the image."""
        return line_of(self._mounts(), self._stage.root, self._confined(command), self._environment(variables))

    def run(self, command: Sequence[str], variables: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run a command to its end: its status, and what it printed."""
        given = self._environment(variables or {})
        done = apart(self._mounts(), self._stage.root, self._confined(command), given)
        return done.returncode, done.stdout

    def rihla(self, *arguments: str) -> list[str]:
        """The image's entry point with arguments."""
        return [*self._stage.entrypoint, *(arguments or self._stage.command)]

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {**self._stage.environment, **variables}

    def _confined(self, command: Sequence[str]) -> list[str]:
        user = self._stage.user
        bare = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        inside = ["/bin/sh", "-c", f'cd {self._stage.folder} && exec "$@"', "sh", *command]
        return ["setpriv", f"--reuid={user}", f"--regid={user}", *bare, *inside]

    def _mounts(self) -> list[str]:
        root, user = self._stage.root, self._stage.user
        empty = f"mount -t tmpfs -o mode=0770,uid={user},gid={user} none {root}"
        return [
            f"mount --bind {root} {root}",
            f"mount --rbind /dev {root}/dev",
            f"mount -t proc none {root}/proc",
            *(f"{empty}{folder}" for folder in WRITABLE),
            f"mount --bind {self._secrets} {root}{SECRETS}",
            f"mount -o remount,bind,ro {root}{SECRETS}",
            f"mount -o remount,bind,ro {root}",
        ]


class Imaged(World):
    """A world whose workers, and whose migration, are of the image."""

    def __init__(
        self, pod: Pod, told: Mapping[str, str], folder: Path, settings: Settings, options: Options, extra: Any
    ) -> None:
        """told: variables of the image's processes beside those of the settings."""
        super().__init__(folder, settings, options, extra)
        self._pod, self._variables = pod, {**environment(settings), **told}

    def migrate(self) -> None:
        """By the image."""
        status, said = self._pod.run(self._pod.rihla("migrate"), self._variables)
        if status:
            raise Refused(f"status {status} of rihla migrate:\n{said}")

    async def start(self, kind: str, count: int = 1, *, supervised: bool = True, **extra: str) -> list[Child]:
        """Of the image."""
        started = []
        for _ in range(count):
            started.append(await self.run(kind, f"{kind}-{len(self.workers[kind]) + 1}", **extra))
            self.workers[kind].append(started[-1])
        return started

    async def run(self, kind: str, name: str, **extra: str) -> Child:
        """Start `rihla worker KIND`; its log is named."""
        command = self._pod.rihla("worker", kind, "--metrics-port", "0")
        spec = ChildSpec(name, self._pod.line(command, {**self._variables, **extra}))
        child = Child(spec, self.folder / "logs" / f"{name}.log")
        child.log.parent.mkdir(exist_ok=True)
        await child.start()
        return child


def secret(folder: Path, name: str, text: str, user: str) -> str:
    """A file as Kubernetes mounts it: mode 0440, of the group of the process. Its path in the image."""
    file = folder / name
    file.write_text(text)
    file.chmod(0o440)
    os.chown(file, 0, int(user))
    return f"{SECRETS}/{name}"


async def run_pipeline(pod: Pod, secrets: Path, user: str) -> str:
    """Everything that the image runs, on events; a sentence on what was seen. Raises Refused."""
    url = urlsplit(database().url_of(OWNER))
    token = Path(parse_qs(url.query)["password_file"][0]).read_text().strip()
    inside = url._replace(query=f"password_file={secret(secrets, 'clickhouse', token, user)}").geturl()
    world_module.CUSTOMERS = CUSTOMERS
    with tempfile.TemporaryDirectory(prefix="rihla-image-") as folder:
        kafka = Kafka(Path(folder))
        await kafka.start()
        try:

            def make(*arguments: Any) -> Imaged:
                return Imaged(pod, {"RIHLA_CLICKHOUSE": inside}, *arguments)

            async with world(kafka.address, 1, make=make) as made:
                assert isinstance(made, Imaged)
                await made.start_all()
                await made.reading()
                await made.feed()
                await made.settled()
                found = await differences(made)
                services = await _services(made, pod, secrets, user)
                if found:
                    raise Refused("\n".join(found))
                return f"{', '.join(KINDS)}: {made.records:,} records, no differences; {services}"
        finally:
            await kafka.stop()


async def _services(made: Imaged, pod: Pod, secrets: Path, user: str) -> str:
    """collect and serve, until they are ready."""
    status, tokens = await asyncio.to_thread(pod.run, pod.rihla("token", "desk", "--role", "agent"))
    if status:
        raise Refused(f"status {status} of rihla token: {tokens}")
    entry = "\n".join(line for line in tokens.splitlines() if line.startswith(("[", "#")) or " = " in line)
    files = {
        "collect": {
            "RIHLA_COLLECT_TOKEN_FILE": secret(secrets, "collect", "a" * 32, user),
            "RIHLA_COLLECT_PORT": "0",
        },
        "serve": {"RIHLA_SERVE_TOKENS": secret(secrets, "tokens.toml", entry, user), "RIHLA_SERVE_PORT": "0"},
    }
    for name, told in files.items():
        child = await made.run(name, name, **told)

        async def ready(child: Child = child) -> bool:
            if child.pid is None:
                raise Refused(f"{child.spec.name} has ended:\n{child.log.read_text()[-2000:]}")
            address = child.find_address()
            return address is not None and await answer(f"{address}/readyz") == OK

        try:
            await until(ready, PATIENCE, f"{name} to be ready")
        finally:
            await child.stop()
    return f"{' and '.join(files)}: ready"


async def answer(url: str) -> int | None:
    """The status of an answer; None where there is none."""
    try:
        async with aiohttp.ClientSession() as http, http.get(url) as response:
            return response.status
    except aiohttp.ClientError:
        return None


def refusals(pod: Pod) -> str:
    """What a process of the image may not; a sentence. Raises Refused."""
    status, who = pod.run(["id", "-u"])
    if status or who.strip() == "0":
        raise Refused(f"the image runs as {who}")
    for command, words in MAY_NOT.items():
        status, said = pod.run(command.split())
        if not status or words not in said:
            raise Refused(f"{command}: status {status}, {said.strip()!r}, not {words!r}")
    return f"user {who.strip()}: {len(MAY_NOT)} of {len(MAY_NOT)} things that it may not do are refused"


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain.image")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "image", help="of the clean root, which is kept"
    )
    folder: Path = parser.parse_args(arguments).folder.resolve()
    network = {name: text for name, text in os.environ.items() if name.startswith(KEPT)}
    stages = folder / "stages"
    shutil.rmtree(stages, ignore_errors=True)
    try:
        stage = build(DOCKERFILE, ROOT, clean_root(folder), stages, network)
        print(f"every step of {DOCKERFILE.relative_to(ROOT)} was carried out", flush=True)
        with tempfile.TemporaryDirectory(prefix="rihla-secrets-") as name:
            secrets = Path(name)
            secrets.chmod(0o755)
            pod = Pod(stage, secrets)
            status, said = pod.run(pod.rihla())
            if status or "Usage:" not in said:
                raise Refused(f"status {status} of {pod.rihla()}: {said[-2000:]}")
            print(refusals(pod), flush=True)
            print(asyncio.run(run_pipeline(pod, secrets, stage.user)), flush=True)
    except Exception as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(stages, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
