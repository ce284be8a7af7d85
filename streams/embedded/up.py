"""`rihla up`: the embedded pipeline as a service, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

from streams.embedded.pipeline import Pipeline
from streams.embedded.plan import Plan
from streams.kafka.drain import wait_until_drained
from streams.kafka.observer import Observer

LOOK_SECONDS = 0.5


async def serve(plan: Plan, say: Callable[[str], None], on_ready: Callable[[Pipeline], None]) -> None:
    """Run until SIGTERM or SIGINT.

    say: called with a sentence for people at each step. on_ready: called once everything answers and the tables are
    exact.
    Raises what the pipeline raises, RihlaError when the broker dies.
    """
    stop = asyncio.Event()
    async with Pipeline(plan, "up", say) as pipeline:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        running = asyncio.create_task(_run(pipeline, say, on_ready))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if running.done():
            running.result()
        say("stopping ...")
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _run(pipeline: Pipeline, say: Callable[[str], None], on_ready: Callable[[Pipeline], None]) -> None:
    await _until_listening(pipeline)
    if pipeline.restored.events:
        say(f"rebuilding state from {pipeline.restored.events:,} events ...")
        await until_exact(pipeline)
    pipeline.publish()
    on_ready(pipeline)
    published = pipeline.addresses()
    while True:
        pipeline.check()
        if pipeline.addresses() != published:  # a worker was started again, elsewhere
            pipeline.publish()
            published = pipeline.addresses()
        await asyncio.sleep(LOOK_SECONDS)


async def _until_listening(pipeline: Pipeline) -> None:
    """Return when every worker's page answers."""
    while not all(child.find_address() for child in pipeline.supervisor.children.values()):
        pipeline.check()
        await asyncio.sleep(LOOK_SECONDS)


async def until_exact(pipeline: Pipeline) -> None:
    """Return when what the topics were filled with is stored: until then the tables hold parts of histories."""
    async with Observer(pipeline.settings, pipeline.addresses) as observer:
        observer.ledger.wrote(pipeline.restored.acknowledged)

        async def look() -> bool:
            pipeline.check()
            return await observer.look()

        await wait_until_drained(observer.ledger, look, looks=pipeline.looks)
