"""What is wrong with the settings of topics, with the command that mends it; and what was deleted unread."""

from __future__ import annotations

import pytest

from streams.kafka.retention import GroupPosition, faults, missed
from streams.kafka.topics import config_of
from streams.settings import Settings
from streams.topology import TOPICS

SETTINGS = Settings(prefix="cx", brokers="kafka:9092")
RIGHT = {SETTINGS.topic(topic.name): dict(config_of(topic)) for topic in TOPICS}


def test_topics_as_workers_make_them_are_right() -> None:
    assert faults(SETTINGS, RIGHT) == []


@pytest.mark.parametrize(
    ("topic", "setting", "value", "grave", "because"),
    [
        ("interactions", "retention.ms", "604800000", True, "away for longer"),
        ("interactions", "retention.bytes", "1000000", True, "away for longer"),
        ("booking", "retention.ms", "3600000", True, "away for longer"),
        ("links", "retention.ms", "2592000000", True, "away for longer"),
        ("journeys", "cleanup.policy", "delete", True, "deleted"),
        ("journeys", "cleanup.policy", "compact,delete", True, "deleted"),
        ("interactions", "cleanup.policy", "compact", True, "thinned out"),
        ("parts", "message.timestamp.type", "CreateTime", False, "stamp that their producer gave"),
        ("dead-letters", "max.message.bytes", "1048588", False, "somewhat larger"),
    ],
)
def test_a_setting_that_loses_records_is_told(topic: str, setting: str, value: str, grave: bool, because: str) -> None:
    name = SETTINGS.topic(topic)
    (fault,) = faults(SETTINGS, {**RIGHT, name: {**RIGHT[name], setting: value}})
    assert (fault.topic, fault.grave) == (name, grave)
    assert f"{setting} is {value}, and should be" in fault.what
    assert because in fault.what
    assert fault.remedy == (
        "kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics "
        f"--entity-name {name} --add-config {setting}={RIGHT[name][setting]}"
    )


def test_what_keeps_more_is_right() -> None:
    kept = {**RIGHT["cx.interactions"], "retention.ms": "-1", "max.message.bytes": "99999999"}
    assert faults(SETTINGS, {"cx.interactions": kept}) == []


def test_records_deleted_unread_are_added_up_by_worker_and_topic() -> None:
    positions = {
        ("stitch", "interactions", 0): GroupPosition(10, 25),
        ("stitch", "interactions", 1): GroupPosition(5, 6),
        ("stitch", "interactions", 2): GroupPosition(9, 3),
        ("sink", "interactions", 0): GroupPosition(None, 4),
        ("enrich", "booking", 0): GroupPosition(None, 1000),
        ("enrich", "stay", 0): GroupPosition(0, 7),
        ("sink", "alerts", 0): GroupPosition(None, 0),
    }
    found = {fault.topic + " " + fault.what.split(" ")[0]: fault for fault in missed(SETTINGS, positions)}
    told = [(fault.topic, fault.what, fault.grave) for fault in missed(SETTINGS, positions)]
    assert ("cx.interactions", "16 records were deleted that stitch has not read", True) in told
    assert any("begins 4 records late, and sink has no commit" in what and grave for _, what, grave in told)
    assert any(topic == "cx.booking" and not grave for topic, _, grave in told)  # it may be older than the pipeline
    assert any(topic == "cx.stay" and grave for topic, _, grave in told)
    assert len(told) == len(found) == 4
