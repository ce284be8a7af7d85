"""The bytes of a state and of a summary (msgpack), and the fields that they are made of.

msgspec reads and checks these types; streams.stitch.encoding converts them to the classes that the fold works with,
which mypyc compiles. Fields may be added at the end of StoredSubject and StoredSummary: bytes written without them are
read with their defaults.
"""

from __future__ import annotations

from typing import Any

import msgspec

from streams.alerts.signals import Signals
from streams.alerts.watch import Watch
from streams.model.membership import Said
from streams.model.whose import Place
from streams.stitch.case import CaseFields
from streams.stitch.group import GroupFields
from streams.stitch.journey import JourneyFields
from streams.stitch.rolling import RollingFields
from streams.stitch.subject import HERE
from streams.stitch.summary import NamedBrands, Preference


class StoredSummary(msgspec.Struct, array_like=True, gc=False):
    """The fields of a Summary (streams.stitch.summary)."""

    interactions: int
    first: int
    last: int
    bookings: dict[str, JourneyFields]
    loose: list[list[Any]]
    cases: dict[str, CaseFields]
    rolling: RollingFields
    preferences: dict[str, Preference]
    duplicates: int
    signals: Signals | None
    cause: tuple[int, bytes, str, str | None, str | None] | None
    """Without its brand, which is the last of `brands`."""
    groups: dict[str, list[Said]] | None = None
    places: dict[str, dict[str, Place]] | None = None
    loose_units: dict[bytes, str] | None = None
    brands: NamedBrands | None = None


class StoredSubject(msgspec.Struct, array_like=True, gc=False):
    """The fields of a Subject (streams.stitch.subject)."""

    interactions_applied: int
    identities_applied: int
    parts_applied: int
    own: StoredSummary
    seen: bytes
    root: str | None
    root_version: int
    parts: dict[str, tuple[int, bytes | None]]
    former: list[str]
    published: bool
    published_keys: list[str]
    watch: Watch | None
    presence: int = HERE
    applied_at: int = -1
    recall_from: int = 0
    version_base: int = 0
    told: dict[str, bytes] = {}
    group: GroupFields | None = None
    posted: dict[str, int] = {}
    actions: int | None = None


read_subject = msgspec.msgpack.Decoder(StoredSubject).decode
"""The fields in bytes; raises msgspec.ValidationError or DecodeError, both ValueErrors, for other bytes."""
read_summary = msgspec.msgpack.Decoder(StoredSummary).decode
"""The fields in bytes; raises like `read_subject`."""


def as_journey(fields: list[Any]) -> JourneyFields:
    """The fields of a journey among those of a loose event, as states from before kept it."""
    found: JourneyFields = msgspec.convert(fields, JourneyFields)
    return found
