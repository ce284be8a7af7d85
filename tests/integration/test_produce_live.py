"""`rihla produce -` on a pipe whose lines come one by one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from streams.embedded.tether import tethered
from streams.settings import Settings
from tests.integration.test_codecs import Written
from tests.support.brokers import Broker, until

AT_ONCE = 0.25  # seconds within which a line is to be sent


@contextmanager
def produce(settings: Settings, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`rihla produce` as a process of its own; killed at the end if it still runs."""
    environment = {
        **os.environ,
        "RIHLA_PREFIX": settings.prefix,
        "RIHLA_PARTITIONS": "1",
        "RIHLA_EMBEDDED": str(settings.embedded).lower(),
    }
    command = tethered([sys.executable, "-m", "streams.cli", "produce", "--brokers", settings.brokers, *arguments])
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def line(number: int) -> bytes:
    """A stay of the guest of that number."""
    stay = {
        "channel": "stay",
        "event_id": f"7b0c2ad4-6a0e-4c1d-9a49-{number:012}",
        "occurred_at": 1_770_000_000_000,
        "ids": [{"kind": "customer", "value": f"C{number}"}],
        "touchpoint": "stay.arrived",
        "medium": "web",
    }
    return json.dumps(stay).encode() + b"\n"


def write(pipe: IO[bytes] | None, data: bytes) -> None:
    """Write, and have it on its way."""
    assert pipe is not None
    pipe.write(data)
    pipe.flush()


async def test_a_line_of_a_pipe_is_sent_when_it_has_come(embedded_broker: Broker, topic_prefix: str) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=1)
    with produce(settings, "-") as process:
        write(process.stdin, line(0))

        async def sent(count: int) -> bool:
            return len(await stays.read()) >= count

        from streams.kafka.topics import ensure_topics

        await ensure_topics(settings)
        async with Written(settings, "stay") as stays:
            await until(lambda: sent(1), what="the first line")
            took = []
            for number in range(1, 8):
                began = time.monotonic()
                write(process.stdin, line(number))
                await until(lambda number=number: sent(number + 1), what="a line")
                took.append(time.monotonic() - began)
            # A line waits for its end.
            write(process.stdin, line(8)[:40])
            await asyncio.sleep(2 * AT_ONCE)
            assert not await sent(9)
            write(process.stdin, line(8)[40:] + line(9)[:40])
            await until(lambda: sent(9), what="the line in two parts")
            # Ctrl-C ends the reading, though the pipe goes on: what was read has been sent, and is told.
            process.send_signal(signal.SIGINT)
            await asyncio.to_thread(process.wait)  # the pipe stays open
            assert process.stdout is not None
            assert process.stderr is not None
            out, err = process.stdout.read(), process.stderr.read()
            assert process.returncode == 130
            assert b"9 lines acknowledged" in out
            assert b"interrupted" in err
            assert b"Traceback" not in err
            assert not await sent(10)
    # The middle one, as another process may have had the machine meanwhile; with it goes a poll of this consumer's.
    assert sorted(took)[len(took) // 2] < AT_ONCE + 0.25


async def test_many_lines_of_a_pipe_go_in_few_batches(embedded_broker: Broker, topic_prefix: str) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=1)
    with produce(settings, "-") as process:
        data = b"".join(line(number) for number in range(30_000))
        out, err = await asyncio.to_thread(process.communicate, data)
        assert (process.returncode, err) == (0, b"")
        assert b"30,000 lines acknowledged" in out


async def test_a_pipe_may_be_named_as_a_file(embedded_broker: Broker, topic_prefix: str, tmp_path: Any) -> None:
    settings = embedded_broker.settings(topic_prefix, partitions=1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with produce(settings, str(pipe)) as process:
        await asyncio.to_thread(pipe.write_bytes, line(1) + line(2)[:-1])
        out, _ = await asyncio.to_thread(process.communicate)
        assert process.returncode == 0
        assert b"2 lines acknowledged" in out
