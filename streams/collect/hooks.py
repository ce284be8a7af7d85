"""What webhooks send, by their mappings: events, and dead letters for the rest, because no sender reads the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import orjson
import polars as pl

from schemas.encode import BatchEncoder
from schemas.records import CHANNELS
from schemas.registry import Registry
from schemas.wire import Wire
from streams.clock import now_ms as clock_ms
from streams.collect.configuration import Hook
from streams.collect.intake import objects_of
from streams.collect.writer import Part
from streams.enrich.clean import clean
from streams.enrich.validate import CLEAR
from streams.model.dead_letter import DeadLetter, cut_to, letters_frame
from streams.model.mask import masked
from streams.model.normal import Nobody
from streams.model.subjects import keys_of, subjects
from streams.sources.mapping.rows import rows_of_objects
from streams.text.scrub import scrub_text
from streams.text.shown import shown_line
from streams.topology import DEAD_LETTERS, channel_topic

PREFIX = "webhook:"
"""Prefix of the topic that a dead letter of a webhook names; the webhook's name follows."""

LETTER_BYTES = 64 << 10
"""Most bytes of the payload that a letter keeps."""
BEHIND = 1 << 10
"""Bytes after those that are scrubbed as well: an address that is cut in half would not be recognised."""


MOST_EVENTS: Final = 10_000
"""Most events in one request."""


class TooMany(Exception):
    """A request has more items than MOST_EVENTS."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there are {number} events in one request; {MOST_EVENTS} are taken")


@dataclass
class Came:
    """The result of one request."""

    parts: list[Part] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    events: int = 0
    ignored: int = 0
    """Items for which the mapping has no event."""


class Hooks:
    """Reads requests of webhooks."""

    def __init__(self, registry: Registry, wire: Wire, nobody: Nobody) -> None:
        """The arguments are those of Intake."""
        self._nobody = nobody
        self._encoders = {name: BatchEncoder(name, registry, wire) for name in (*CHANNELS, "dead_letter")}

    def take(self, hook: Hook, body: bytes, now_ms: int) -> Came:
        """The events in a request, and letters for the items that are none. Validation is left to enrich, as for every
        mapped source. Takes some 20 ms, with MOST_EVENTS half a second: call it in a thread.

        Raises TooMany."""
        came = Came()
        topic = f"{PREFIX}{hook.name}"
        try:
            items = objects_of(_inner(body, hook.items))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            came.letters.append(_letter(topic, 1, body, "undecodable", f"the body is not JSON: {error}"))
            return came
        except KeyError:
            came.letters.append(_letter(topic, 1, body, "undecodable", f"no {'.'.join(hook.items)} in it"))
            return came
        if len(items) > MOST_EVENTS:
            raise TooMany(len(items))
        done = hook.translator.translate(rows_of_objects(items, hook.translator.columns, hook.translator.mapping.read))
        came.ignored = done.silent
        came.letters += [_letter(topic, one.line, one.payload, one.reason, one.detail) for one in done.bad]
        for channel, frame in done.frames:
            found = clean(frame, self._nobody)
            for detail, secrets in found.clear.values():
                came.letters.append(_letter(topic, 1, masked(body, secrets), CLEAR, detail))
            kept = found.frame[[row for row in range(frame.height) if row not in found.clear]]
            if kept.height:
                texts = [None if text is None else scrub_text(text) for text in kept["text"]]
                kept = kept.with_columns(pl.Series("text", texts, pl.String))
                values = self._encoders[channel].encode(kept)
                came.parts.append(Part(channel_topic(channel), keys_of(subjects(kept)), values))
                came.events += kept.height
        return came

    def encoded(self, letters: Sequence[DeadLetter], room: int) -> list[Part]:
        """Letters, ready for Kafka. room: most bytes of one."""
        cut = [cut_to(letter, room) for letter in letters]
        values = self._encoders["dead_letter"].encode(letters_frame(cut, clock_ms()))
        return [Part(DEAD_LETTERS, [None] * len(cut), values)]


def _inner(body: bytes, path: Sequence[str]) -> bytes:
    """The member of a body that a path names. Raises msgspec.MsgspecError, KeyError."""
    if not path:
        return body
    found = msgspec.json.decode(body)
    for name in path:
        if not isinstance(found, dict) or name not in found:
            raise KeyError(name)
        found = found[name]
    return orjson.dumps(found)


def _letter(topic: str, line: int, payload: bytes, reason: str, detail: str) -> DeadLetter:
    """The letter for an item, without the addresses and numbers in it; a long payload is cut."""
    shown = shown_line(payload[: LETTER_BYTES + BEHIND])[:LETTER_BYTES]
    kept = shown.decode(errors="replace").encode()
    return DeadLetter(topic, 0, line, None, kept, reason, detail)
