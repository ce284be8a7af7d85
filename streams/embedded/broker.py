"""A Kafka-compatible broker as a child process: the base of the embedded and of the managed one."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from aiokafka.errors import KafkaError

from streams.embedded.ports import HOST, free_ports
from streams.embedded.tether import tethered
from streams.errors import RihlaError
from streams.kafka import clients
from streams.settings import Settings

LOOK_EVERY = 0.1  # seconds between looks at a broker that is starting or stopping
LOG_TAIL = 2000  # characters of a dead broker's log that its error shows


class BrokerError(RihlaError):
    """A broker cannot be started, or died; the message says why, and where its log is."""


class BrokerProcess:
    """One broker: start it, use its address, stop it. Start from the main thread (see streams.embedded.tether).

    log: file that takes what it prints, appended.
    """

    name = "broker"
    # One that dies is noticed at once. These are for one that lives and does nothing, so they may be long: on a busy
    # machine, or with a long log to look through, starting and stopping take many times the usual second.
    start_seconds = 600.0
    stop_seconds = 10.0

    def __init__(self, log: Path, port: int | None = None) -> None:
        self.log = log
        self.port = free_ports(1)[0] if port is None else port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients find it: `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def command(self) -> Sequence[str]:
        """The command line that runs it in the foreground. Raises BrokerError when it is not installed."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start it and return when it answers. Raises BrokerError when it cannot, died, or takes too long."""
        if self.pid is not None:
            raise BrokerError(f"{self.name} runs already")
        command = self.command()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  (a plain child, that outlives this event loop)
                tethered(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.log.parent,
            )
        deadline = time.monotonic() + self.start_seconds
        try:
            while not await self._answers():
                if self._process.poll() is not None:
                    raise BrokerError(f"{self.name} ended at once ({self._how()}); {self._log_tail()}")
                if time.monotonic() > deadline:
                    raise BrokerError(f"{self.name} did not answer in {self.start_seconds:.0f} s; {self._log_tail()}")
                await asyncio.sleep(LOOK_EVERY)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ask it to end, then make it; nothing when it does not run."""
        process = self._process
        if process is None:
            return
        for signum in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(signum)
            deadline = time.monotonic() + self.stop_seconds
            while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY)
        self._process = None

    def check(self) -> None:
        """Raise BrokerError when it should be running and is not."""
        if self._process is not None and self._process.poll() is not None:
            raise BrokerError(f"{self.name} died ({self._how()}); {self._log_tail()}")

    async def _answers(self) -> bool:
        """Whether it lists its topics when asked."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1.0):
                pass
        except OSError:
            return False
        admin = clients.admin(Settings(brokers=self.address), request_timeout_ms=5000)
        try:
            await admin.start()
            await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()
        return True

    def _how(self) -> str:
        code = self._process.returncode if self._process is not None else None
        return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"

    def _log_tail(self) -> str:
        try:
            text = self.log.read_text("utf-8", "replace")[-LOG_TAIL:].strip()
        except OSError:
            text = ""
        return f"its log is {self.log}" + (f" and ends:\n{text}" if text else "")
