"""A collector over HTTP without a broker: what it would write is kept, and acknowledged when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import polars as pl

from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from streams.collect.app import Collector
from streams.collect.configuration import Access, access_of
from streams.collect.hooks import Hooks
from streams.collect.intake import Intake
from streams.collect.server import Server
from streams.collect.writer import NotWritten, Part
from streams.model.normal import Nobody
from streams.settings import Settings

TOKEN = "a-token-for-tests-only"


@dataclass
class Kept:
    """In the place of a Writer."""

    parts: list[Part] = field(default_factory=list)
    most: int = 1 << 20
    fails: bool = False
    held: asyncio.Event | None = None
    """Nothing is acknowledged before it is set."""

    async def room(self, topic: str) -> int:
        return self.most

    async def write(self, parts: Sequence[Part]) -> None:
        if self.held is not None:
            await self.held.wait()
        if self.fails:
            raise NotWritten("no broker")
        self.parts += parts

    def events(self, topic: str) -> list[dict[str, Any]]:
        """What was written to a topic, decoded."""
        values = [value for part in self.parts if part.topic == topic for value in part.values]
        record = topic.replace("-", "_").removesuffix("s") if topic == "dead-letters" else topic.replace("-", "_")
        frame: pl.DataFrame = BatchDecoder(record, LocalRegistry()).decode(values).frame
        return frame.to_dicts()


@dataclass
class Served:
    """A running collector: its address, what it wrote, and a client with its token."""

    url: str
    kept: Kept
    http: aiohttp.ClientSession
    app: Collector

    async def post(
        self, path: str, body: bytes | str, kind: str = "application/json", **headers: str
    ) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        told = {"Content-Type": kind, "Authorization": f"Bearer {TOKEN}"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.post(self.url + path, data=body, headers=told) as answer:
            return answer.status, await answer.json(content_type=None)


@asynccontextmanager
async def serving(access: Access | None = None, **settings: Any) -> AsyncIterator[Served]:
    """A collector on a free port. access: by default, TOKEN may send everything."""
    told = Settings(collect_token=TOKEN, collect_country="SA", **settings)
    registry, nobody = LocalRegistry(), Nobody()
    kept = Kept()
    writer: Any = kept
    collector = Collector(
        access or access_of(told), Intake(registry, told.wire, nobody), Hooks(registry, told.wire, nobody), writer
    )
    server = Server(collector.app, told.name_list)
    port = await server.listen("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as http:
            yield Served(f"http://127.0.0.1:{port}", kept, http, collector)
    finally:
        await server.close()
