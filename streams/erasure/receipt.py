"""The receipt of an erasure: what ClickHouse keeps of it, and from which the set of erasures can be rebuilt."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from streams.erasure.erased import Erasure
from streams.erasure.key import fingerprint, key_id
from streams.erasure.person import Person

REFUSE, ANEW = "refuse", "anew"
LATER = (REFUSE, ANEW)
"""Whether later events are accepted."""

_COLUMNS = (
    "erasure_id",
    "begun_at",
    "done_at",
    "reference",
    "later_events",
    "kinds",
    "erased_rows",
    "remaining",
    "key_id",
    "fingerprints",
    "refused_until",
    "version",
)


@dataclass
class Receipt:
    """One row of the table erasures; names nobody."""

    later_events: str
    reference: str = ""
    erasure_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    begun_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    done_at: datetime | None = None
    kinds: Mapping[str, int] = field(default_factory=dict)
    erased_rows: Mapping[str, int] = field(default_factory=dict)
    remaining: Mapping[str, int] = field(default_factory=dict)
    key_id: str = ""
    fingerprints: Sequence[str] = ()
    refused_until: datetime | None = None

    def name(self, person: Person, key: bytes) -> None:
        """Add the fingerprints of the person's names."""
        self.kinds, self.key_id = person.kinds, key_id(key)
        self.fingerprints = sorted(fingerprint(name, key) for name in person.names)

    @property
    def erasures(self) -> list[Erasure]:
        """The erasures as workers follow them."""
        until = None if self.refused_until is None else int(self.refused_until.timestamp() * 1000)
        return [Erasure(one, self.key_id, until) for one in self.fingerprints]

    def write(self, client: Any) -> None:
        """Store it as it is now; it replaces what was written of it before."""
        row = [getattr(self, name) for name in _COLUMNS[:-1]] + [time.time_ns() // 1_000_000]
        client.insert("erasures_store", [row], column_names=list(_COLUMNS))


def stored(client: Any) -> list[Erasure]:
    """Every erasure of which there is a receipt; client: of clickhouse-connect, on the database."""
    rows = client.query(
        "SELECT arrayJoin(fingerprints), key_id, toUnixTimestamp64Milli(refused_until) FROM erasures ORDER BY begun_at"
    ).result_rows
    return [Erasure(str(one), str(key), None if until is None else int(until)) for one, key, until in rows]
