"""A topic of another system, by a mapping, on a real client of Kafka."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from schemas.decode import BatchDecoder
from schemas.foreign import ForeignReader
from schemas.registry import HttpRegistry, LocalRegistry
from streams.errors import RihlaError
from streams.sources.mapping.model import load
from streams.sources.topics import Read, feed_topic
from tests.integration.test_codecs import Written
from tests.support.brokers import Broker, until
from tests.support.registries import serving
from tests.support.workers import administering, producing

MAPPING = """source = "pms"
[[events]]
name = "booked"
key = ["no"]
touchpoint = { value = "booking.confirmed" }
medium = { value = "web" }
occurred_at = "at"
booking_ref = "no"
ids = [{ kind = "email_sha256", column = "guest.email" }]
"""


async def test_a_json_topic_is_read_once_and_what_is_no_event_is_a_letter(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = memory_broker.settings(topic_prefix, partitions=1)
    path = tmp_path / "m.toml"
    path.write_text(MAPPING)
    mapping, topic = load(str(path)), f"{topic_prefix}.pms"

    async def feed(group: str) -> Read:
        return await feed_topic(settings, topic, mapping, ForeignReader(None), group=group, to_end=True)

    good = {"no": "1", "at": "2025-03-01T09:30:00Z", "guest": {"email": "amina@example.com"}}
    values = [
        json.dumps(good).encode(),
        None,
        json.dumps([good | {"no": "2"}, good | {"no": "3"}]).encode(),
        json.dumps(good | {"at": "soon"}).encode(),
        b"{",
    ]
    async with administering(settings) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    async with producing(settings) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"k")
    read = await feed(f"{topic_prefix}-a")
    assert (read.records, read.events, read.tombstones) == (5, {"booking": 3}, 1)
    assert read.letters == {"bad_time": 1, "undecodable": 1}
    assert (await feed(f"{topic_prefix}-a")).records == 0  # its group has read them
    assert (await feed(f"{topic_prefix}-b")).events == {"booking": 3}  # the same events again, with the same ids
    async with Written(settings, "booking") as bookings, Written(settings, "dead-letters") as letters:

        async def there() -> bool:
            return len(await bookings.read()) >= 6 and len(await letters.read()) >= 4

        await until(there, what="events and letters")
        events = BatchDecoder("booking", LocalRegistry()).decode(bookings.values).frame
        refused = BatchDecoder("dead_letter", LocalRegistry()).decode(letters.values).frame
    assert (await feed(f"{topic_prefix}-c")).examples["bad_time"].startswith("partition 0, offset 3: column at: 'soon'")
    assert events["event_id"].n_unique() == 3
    assert refused.select("topic", "offset", "reason").unique().sort("offset").rows() == [
        (topic, 3, "bad_time"),
        (topic, 4, "undecodable"),
    ]
    assert not any(b"amina" in payload for payload in refused["payload"])


async def test_values_of_a_registry_that_nobody_names_are_one_sentence(
    memory_broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    """And no letters: what stands in the topic is right, and it is read once the registry is named."""
    settings = memory_broker.settings(topic_prefix, partitions=1)
    path = tmp_path / "m.toml"
    path.write_text(MAPPING)
    topic, group = f"{topic_prefix}.pms", f"{topic_prefix}-a"
    value = json.dumps({"no": "1", "at": "2025-03-01T09:30:00Z"}).encode()
    async with administering(settings) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    async with producing(settings) as producer:
        await producer.send_and_wait(topic, b"\0\0\0\0\x07" + value)
    with serving(by_id={7: {"schemaType": "JSON", "schema": "{}"}}) as service:
        with pytest.raises(RihlaError, match="no registry is named") as raised:
            await feed_topic(settings, topic, load(str(path)), ForeignReader(None), group=group, to_end=True)
        assert "--registry" in (raised.value.hint or "")
        reader = ForeignReader(HttpRegistry(service.url))
        read = await feed_topic(settings, topic, load(str(path)), reader, group=group, to_end=True)
    assert (read.events, read.letters) == ({"booking": 1}, {})
