"""The endless stream of the overload trial: each pass is the first one's, by other travellers."""

from __future__ import annotations

import polars as pl

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import LocalRegistry
from streams.enrich.transform import Enricher
from streams.sources.simulate import Options
from tests.faults.travellers import Travellers


def test_passes_have_no_name_in_common_and_are_otherwise_the_same() -> None:
    travellers = Travellers.of(Options(customers=20, seed=3, duplicates=0.0))
    passes = [[travellers.next(10), *travellers.rest(10)] for _ in range(2)]
    assert len(passes[0]) > len(travellers.pieces)
    assert travellers.begun == 2
    assert not [*travellers.rest(10)]
    named: list[set[str]] = []
    for pieces in passes:
        frames = [piece.frame for piece in pieces]
        names = pl.concat([frame.explode("ids")["ids"].struct.field("value").drop_nulls() for frame in frames])
        others = [frame[column].drop_nulls() for frame in frames for column in ("event_id", "booking_ref", "case_id")]
        named.append({*names, *pl.concat(others)})
    assert not named[0] & named[1]
    assert len(named[0]) == len(named[1])
    for one, other in zip(*passes, strict=True):
        same = pl.all().exclude("event_id", "ids", "booking_ref", "case_id")
        assert one.frame.select(same).equals(other.frame.select(same))


def test_every_event_of_a_pass_is_accepted() -> None:
    travellers = Travellers.of(Options(customers=20, seed=3, duplicates=0.0))
    pieces = [travellers.next(1000), *travellers.rest(1000)]
    assert sum(piece.frame.height for piece in pieces) == travellers.summary["interactions"]
    registry = LocalRegistry()
    enricher, encoders = Enricher(registry), {channel: BatchEncoder(channel, registry) for channel in CHANNELS}
    for piece in pieces:
        enriched = enricher.enrich({piece.channel: encoders[piece.channel].encode(piece.frame)}, 2**42)
        assert enriched.rows == [*range(piece.frame.height)]
        assert not enriched.refused
