"""Whether the topics that are there keep what they must: settings of the broker, and where groups stand. For doctor.

Workers make their topics rightly (streams.kafka.topics) and leave those alone that are there already, made by somebody
else or by an earlier version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from streams.kafka import layout
from streams.kafka.topics import CHANGELOG, alter, config_of
from streams.settings import Settings
from streams.topology import CHANNEL_TOPICS, TOPICS

NEVER = -1
"""Kafka's word for a retention without end."""


class Fault(NamedTuple):
    """Something about a topic that is not as it must be. grave: records are, or would be, lost."""

    topic: str
    what: str
    remedy: str
    grave: bool


def faults(settings: Settings, configs: Mapping[str, Mapping[str, str]]) -> list[Fault]:
    """What is wrong with the settings of topics. configs: by full name, all settings that a topic has on the broker.

    Topics and settings that are not among them are taken for right.
    """
    found = []
    changelogs = layout.changelogs(settings)
    every = {settings.topic(topic.name): config_of(topic) for topic in TOPICS} | dict.fromkeys(changelogs, CHANGELOG)
    for name, wanted in every.items():
        actual = configs.get(name, {})
        wrong = {key: value for key, value in wanted.items() if key in actual and _worse(key, value, actual[key])}
        if not wrong:
            continue
        what = ", ".join(f"{key} is {actual[key]}, and should be {value}" for key, value in sorted(wrong.items()))
        remedy = alter(settings, name, dict(sorted(wrong.items())))
        refused = name in changelogs and _SIZE in wrong
        why = ": a state may be larger, so its worker does not start" if refused else _because(wrong)
        found.append(Fault(name, what + why, remedy, grave=refused or bool(wrong.keys() - {_TYPE, _SIZE})))
    return found


_TYPE, _SIZE = "message.timestamp.type", "max.message.bytes"


def _worse(key: str, wanted: str, actual: str) -> bool:
    """Whether a setting loses what the wanted one keeps."""
    if key == "cleanup.policy":
        return actual != wanted
    if key in ("retention.ms", "retention.bytes"):
        kept, needed = int(actual), int(wanted)
        return kept != NEVER and (needed == NEVER or kept < needed)
    if key == _SIZE:
        return int(actual) < int(wanted)
    return key == _TYPE and actual != wanted


def _because(wrong: Mapping[str, str]) -> str:
    if "cleanup.policy" in wrong:
        return ": what must be kept is deleted, or what must be kept whole is thinned out"
    if "retention.ms" in wrong or "retention.bytes" in wrong:
        return ": a worker that is away for longer loses records"
    if _TYPE in wrong:
        return ": records are deleted by the stamp that their producer gave them, however old that is"
    return ": a record that is somewhat larger than the one it is made of is refused"


class GroupPosition(NamedTuple):
    """Where a group stands in a partition: what it has committed (None: nothing), and where the log begins."""

    committed: int | None
    begin: int


def missed(settings: Settings, positions: Mapping[tuple[str, str, int], GroupPosition]) -> list[Fault]:
    """Records that were deleted before a worker read them. positions: by (worker, topic without prefix, partition)."""
    lost: dict[tuple[str, str, bool], int] = {}
    for (worker, topic, _), (committed, begin) in positions.items():
        if begin > (committed or 0):
            key = worker, topic, committed is not None
            lost[key] = lost.get(key, 0) + begin - (committed or 0)
    found = []
    for (worker, topic, had), count in sorted(lost.items()):
        channel = topic in CHANNEL_TOPICS
        what = (
            f"{count} records were deleted that {worker} has not read"
            if had
            else f"the log begins {count} records late, and {worker} has no commit: it may not have read them"
        )
        remedy = "rihla verify tells what differs, and names the cure"
        if channel:
            remedy = "have their source send them again: what was read before changes nothing"
        found.append(Fault(settings.topic(topic), what, remedy, grave=had or not channel))
    return found
