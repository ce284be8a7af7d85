"""Records as large as a topic takes, that are refused, or that grow on their way, on real brokers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.decode import BatchDecoder
from schemas.registry import LocalRegistry
from schemas.single import decode_one, encode_one
from streams.dead_letters.originals import GONE, UNREADABLE, originals
from streams.kafka import topic_checks
from streams.kafka.app import REQUEST_BYTES
from streams.kafka.batch_producer import RECORD_OVERHEAD
from streams.kafka.layout import changelog
from streams.kafka.topics import CHANGELOG, TopicError, ensure_changelogs
from streams.model.dead_letter import MASKED, is_cut
from streams.settings import Settings
from streams.sources.feeder import produce_files
from tests.integration.test_codecs import Written, enriching, event, numbers
from tests.support.brokers import Broker, until
from tests.support.workers import administering, producing


async def make_topics(settings: Settings, limits: Mapping[str, int]) -> None:
    """Create topics that take no more than so many bytes of a batch, before Rihla makes the others."""
    topics = [
        NewTopic(settings.topic(name), 1, 1, topic_configs={"max.message.bytes": str(limit)})
        for name, limit in limits.items()
    ]
    async with administering(settings) as admin:
        await admin.create_topics(topics)


async def letters(written: Written, count: int) -> pl.DataFrame:
    """So many dead letters, in their order."""

    async def all_there() -> bool:
        return len(await written.read()) >= count

    await until(all_there, what=f"{count} dead letters")
    return BatchDecoder("dead_letter", LocalRegistry()).decode(written.values).frame


async def test_the_letter_of_a_record_as_large_as_can_be_is_cut_and_says_where_the_whole_is(
    broker: Broker, topic_prefix: str
) -> None:
    settings = broker.settings(topic_prefix, partitions=1)
    largest = REQUEST_BYTES if broker.embedded else 100_000
    if not broker.embedded:
        await make_topics(settings, {"stay": largest, "dead-letters": largest})
    topic = settings.topic("stay")
    sizes = [largest - RECORD_OVERHEAD - less for less in (0, 75, 150)]
    records: list[tuple[bytes | None, bytes]] = [(None, b"x" * size) for size in sizes]
    records += [(b"k" * (sizes[0] - 700), b"x" * 600), (None, b"x" * 1000)]
    secret = b"amina@example.com", b"my card is 4111 1111 1111 1111"
    async with enriching(settings), producing(settings, max_request_size=2 * REQUEST_BYTES) as producer:
        for key, value in (*records, secret):
            await producer.send_and_wait(topic, value, key=key, partition=0)
        await producer.send_and_wait(topic, event(1), partition=0)
        async with Written(settings, "interactions") as interactions, Written(settings, "dead-letters") as written:

            async def there() -> bool:
                return numbers(await interactions.read()) == {1}

            await until(there, what="the neighbour")
            found = await letters(written, len(records) + 1)
        masked, found = found[-1], found[:-1]
        assert masked["key"].to_list() == [b"*" * 17]
        assert masked["payload"].to_list() == [b"my card is " + b"*" * 19]
        place = ["topic", "partition", "offset", "key", "payload", "detail"]
        whole, left = await originals(settings, masked.select(place))
        assert (whole.select("key", "payload").rows(), left) == ([secret], {})
        assert found["offset"].to_list() == [*range(len(records))]
        assert [is_cut(detail) for detail in found["detail"]] == [True, True, True, True, False]
        assert found["reason"].unique().to_list() == ["undecodable"]
        for (key, value), cut_key, cut in zip(records, found["key"], found["payload"], strict=True):
            assert value.startswith(cut)
            assert (key or b"").startswith(cut_key or b"")
        assert len(found["payload"][0]) > largest - 1000
        whole, left = await originals(settings, found.select(place))
        assert not left
        assert whole.select("key", "payload").rows() == records
        # What does not stand there is not sent in its place.
        changed = found.with_columns(payload=pl.lit(b"other"), offset=pl.col("offset") + 1)
        whole, left = await originals(settings, changed)
        assert (whole.height, left) == (1, {GONE: 4})


@pytest.mark.kafka
async def test_an_event_whose_interaction_is_too_large_is_a_letter_and_its_neighbours_go_on(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    await make_topics(settings, {"interactions": 3000})
    stay = decode_one(event(0), "stay")
    large = encode_one("stay", {**stay, "ids": [{"kind": "device", "value": str(one) + "d" * 990} for one in range(3)]})
    topic = settings.topic("stay")
    async with enriching(settings), producing(settings, linger_ms=50) as producer:
        sent: list[Any] = [await producer.send(topic, event(number), partition=0) for number in range(1, 300)]
        sent.append(await producer.send(topic, large, partition=0))
        sent += [await producer.send(topic, event(number), partition=0) for number in range(300, 600)]
        await asyncio.gather(*sent)
        async with Written(settings, "interactions") as interactions, Written(settings, "dead-letters") as written:

            async def there() -> bool:
                return numbers(await interactions.read()) == {*range(1, 600)}

            await until(there, what="the neighbours")
            (letter,) = (await letters(written, 1)).to_dicts()
        assert (letter["topic"], letter["offset"], letter["reason"]) == (topic, 299, "too_long")
        assert letter["payload"] == large
        assert "the record for the topic interactions has" in letter["detail"]


@pytest.mark.kafka
async def test_a_line_larger_than_its_topic_takes_is_a_letter_cut_to_fit_and_the_others_go_on(
    kafka_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    await make_topics(settings, {"stay": 4000, "dead-letters": 3000})
    large = {"text": "my card is 4111 1111 1111 1111 " + "and so on " * 400}
    lines = []
    for number in range(6):
        stay = {"channel": "stay", **decode_one(event(number), "stay"), **(large if number in (2, 4) else {})}
        lines.append(json.dumps(stay).encode())
    path = tmp_path / "stays.jsonl"
    path.write_bytes(b"\n".join([*lines, b"not JSON " * 1000]))
    fed = await produce_files(settings, [str(path)], None)
    assert (fed.events, fed.bad) == ({"stay": 4}, {"too_long": 2, "undecodable": 1})
    async with Written(settings, "stay") as stays, Written(settings, "dead-letters") as written:
        found = (await letters(written, 3)).sort("offset")

        async def others() -> bool:
            sent = [decode_one(value, "stay")["event_id"][-1] for value in await stays.read()]
            return sent == ["0", "1", "3", "5"]

        await until(others, what="the others")
    assert found["topic"].unique().to_list() == [f"file:{path}"]
    assert found["offset"].to_list() == [3, 5, 7]
    assert all(is_cut(detail) for detail in found["detail"])
    assert "the record for the topic stay has" in found["detail"][0]
    assert b"my card is ****" in found["payload"][0]
    assert found["payload"][2].startswith(b"not JSON ")


@pytest.mark.kafka
async def test_a_changelog_that_does_not_take_the_largest_state_is_refused_with_the_command_that_mends_it(
    kafka_broker: Broker, topic_prefix: str
) -> None:
    settings = kafka_broker.settings(topic_prefix, partitions=1)
    name = changelog(settings)
    async with administering(settings) as admin:
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs={**CHANGELOG, "max.message.bytes": "5000"})])
        with pytest.raises(TopicError, match=f"{name} takes records of 5000 bytes, and a state may") as refused:
            await ensure_changelogs(settings, {name: 1})
        command = f"--entity-name {name} --add-config max.message.bytes={REQUEST_BYTES}"
        assert (refused.value.hint or "").endswith(command)
        (fault,) = await topic_checks.faults(admin, settings, {name})
        assert (fault.topic, fault.grave) == (name, True)
        assert fault.remedy.endswith(command)
        (resource,) = [ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": str(REQUEST_BYTES)})]
        await admin.alter_configs([resource])
        await ensure_changelogs(settings, {name: 1})


def test_letters_of_lines_and_of_batches_are_not_sent_as_records() -> None:
    rows = [
        ("file:/a", 0, 3, None, b"x", "the line (cut: 1 of 9 bytes of the payload and 0 of 0 of the key are here)"),
        ("file:/a", 0, 4, None, b"x", "the records at offsets 4 to 9 cannot be read: its checksum is wrong"),
        ("file:/a", 0, 5, None, b"x", "no JSON"),
    ]
    names = ["topic", "partition", "offset", "key", "payload", "detail"]
    found = pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"key": pl.Binary()})
    whole, left = asyncio.run(originals(Settings(), found))
    assert whole["offset"].to_list() == [5]
    assert left == {UNREADABLE: 1, GONE: 1}


async def test_after_a_new_start_of_the_broker_a_masked_letter_is_sent_and_one_that_shows_nothing_stays() -> None:
    nothing = f"x{MASKED} (cut: 0 of 9 bytes of the payload and 0 of 0 of the key are here)"
    rows = [
        ("cx.stay", 0, 3, 1, None, b"card ****", f"no JSON{MASKED}"),
        ("cx.stay", 0, 4, 1, None, b"", nothing),
        ("cx.stay", -1, 5, 2, None, b"", nothing),
    ]
    names = ["topic", "partition", "offset", "epoch", "key", "payload", "detail"]
    found = pl.DataFrame(rows, schema=names, orient="row", schema_overrides={"key": pl.Binary()})
    whole, left = await originals(Settings(embedded=True, epoch=2, brokers="127.0.0.1:9"), found)
    assert whole["payload"].to_list() == [b"card ****"]
    assert left == {GONE: 2}
