"""Records that cannot be used, of every kind: bytes that are no event, and events that break each rule."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Callable
from typing import Any

import polars as pl

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import LocalRegistry
from streams.registries import registry_of
from streams.text.shown import shown_record
from tests.faults.world import World

RULES: dict[str, tuple[dict[str, Any], ...]] = {
    "bad_event_id": ({"event_id": "1234"}, {"event_id": ""}),
    "no_identifier": (
        {"ids": [], "booking_ref": None},
        {"ids": [{"kind": "device", "value": ""}]},
        {"booking_ref": ""},
    ),
    "clear_identifier": (
        {"ids": [{"kind": "email_sha256", "value": "Amina@Example.com"}]},
        {"ids": [{"kind": "device", "value": "+966 50 123 4567"}, {"kind": "customer", "value": "C1"}]},
        {"booking_ref": "amina@example.com"},
    ),
    "bad_time": ({"occurred_at": 0}, {"occurred_at": 32_503_680_000_000}, {"occurred_at": -(2**40)}),
    "bad_survey": ({"survey": {"instrument": "nps", "score": 11.0}}, {"survey": {"instrument": "ces", "score": 0.5}}),
    "bad_money": ({"money": {"amount_minor": 1, "currency": "sar"}},),
    "bad_country": ({"country": "SAU"}, {"country": ""}),
    "too_long": ({"text": "long " * 14_000},),
}
"""Reason: what to change in a good event so that it is refused for that."""
IN_CLEAR = re.compile(rb"amina@example\.com|\+966 50 123 4567", re.IGNORECASE)
"""What those of `clear_identifier` give away."""

GARBAGE: tuple[Callable[[bytes, random.Random], bytes | None], ...] = (
    lambda value, rng: None,  # a tombstone: no dead letter, but counted
    lambda value, rng: b"",
    lambda value, rng: rng.randbytes(rng.randint(1, 300)),
    lambda value, rng: rng.randbytes(400_000),
    lambda value, rng: value[: rng.randint(1, len(value) - 1)],
    lambda value, rng: value + rng.randbytes(rng.randint(1, 9)),
    lambda value, rng: value[:2] + rng.randbytes(8) + value[10:],  # a fingerprint of no schema
    lambda value, rng: b"\0" + rng.randbytes(4) + value[10:],  # Confluent's header, and a schema that nobody knows
    lambda value, rng: value[:10] + b"\xff" * rng.randint(1, 60),  # a length without end
    lambda value, rng: b'{"event_id": "%d", "touchpoint": "booking.confirmed"}' % rng.getrandbits(60),
    lambda value, rng: value[:10] + value,
)
"""Each makes of an encoded event something that no schema decodes."""


def shown(value: bytes, reason: str) -> bytes:
    """What a dead letter keeps of a value that was refused for this."""
    if reason == "clear_identifier":
        value = IN_CLEAR.sub(lambda found: b"*" * len(found[0]), value)
    return shown_record(value, LocalRegistry()) or b""


class Poison:
    """Sends poison into a world, and notes there why it must be refused."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self._world, self._rng = world, rng
        self._good = {batch.channel: batch.frame for batch in world.batches}
        registry = registry_of(world.settings)
        self._encoders = {channel: BatchEncoder(channel, registry) for channel in CHANNELS}

    async def send(self, count: int) -> None:
        """Send so many records, in one batch for each channel."""
        made: dict[str, list[bytes | None]] = {}
        for _ in range(count):
            channel = self._rng.choice([*self._good])
            value, reason = self._garbage(channel) if self._rng.random() < 0.5 else self._rule_breaker(channel)
            if value is not None:
                self._world.poison[value] = reason
            made.setdefault(channel, []).append(value)
        for channel, values in made.items():
            await self._world.send(channel, [b"poison-%d" % self._rng.randrange(50)] * len(values), values)

    def _one(self, channel: str) -> pl.DataFrame:
        frame = self._good[channel]
        return frame[self._rng.randrange(frame.height)]

    def _garbage(self, channel: str) -> tuple[bytes | None, str]:
        (value,) = self._encoders[channel].encode(self._one(channel))
        return self._rng.choice(GARBAGE)(value, self._rng), "undecodable"

    def _rule_breaker(self, channel: str) -> tuple[bytes, str]:
        reason = self._rng.choice([*RULES])
        event = self._one(channel)
        changed = event.to_dicts()[0] | {"event_id": str(uuid.UUID(int=self._rng.getrandbits(128), version=4))}
        changed |= self._rng.choice(RULES[reason])
        (value,) = self._encoders[channel].encode(pl.DataFrame([changed], schema=event.schema))
        return value, reason
