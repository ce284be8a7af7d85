"""The gatherings of one deliver worker: their states, in the table of things, and when each is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from streams.deliver import storms
from streams.deliver.model import Routes
from streams.deliver.storms import KEY, Gathering, decode, encode
from streams.kafka.changelog_table import BatchTable

Place = tuple[int, bytes]
"""Partition and key of a state."""


class Told(NamedTuple):
    """A version (with its epoch) of an alert or an incident to send, and the partition of its state."""

    partition: int
    kind: str
    version: int
    thing: dict[str, Any]


class Gatherings:
    """See streams.deliver.storms.

    What `offer` and `take` return is made durable first, then `store` is called: a worker that dies in between offers
    the same versions again, which their states recognise.
    """

    def __init__(self, table: BatchTable, routes: Routes) -> None:
        self._table, self._routes = table, routes
        self._due: dict[Place, int] = {}
        self._changed: dict[Place, Gathering] = {}

    def are_meant(self, thing: Mapping[str, Any]) -> bool:
        """Whether alerts such as this one are gathered."""
        return storms.storm_of(self._routes, thing) is not None

    def offer(self, partition: int, version: int, thing: dict[str, Any], now: int) -> Iterator[Told]:
        """Take in a version of a gathered alert."""
        place = partition, KEY + storms.key_of(thing).encode()
        gathering = self._get(place) or Gathering(thing["rule"], thing["unit"])
        storm = storms.storm_of(self._routes, thing)
        if storm is None:  # the routes have changed since
            yield Told(partition, "alert", version, thing)
            return
        self._changed[place] = gathering
        for released in storms.offer(gathering, storm, version, thing, now):
            yield Told(partition, "alert", *released)

    def take(self, now: int, epoch_of: Callable[[int], int]) -> Iterator[Told]:
        """What is due. epoch_of: adds the epoch to the version of an incident."""
        for place in [place for place, due in self._due.items() if due <= now]:
            gathering = self._get(place)
            if gathering is None:
                self._due.pop(place, None)
                continue
            self._changed[place] = gathering
            held = next((one.thing for one in gathering.held.values()), None)
            severities = [one.severity for incident in gathering.incidents for one in incident.members.values()]
            about = held or {"rule": gathering.rule, "unit": gathering.unit, "severity": next(iter(severities), None)}
            alone, news = storms.take(gathering, storms.storm_of(self._routes, about), now)
            for version, thing in alone:
                yield Told(place[0], "alert", version, thing)
            for version, thing in news:
                yield Told(place[0], "incident", epoch_of(version), thing)

    def store(self) -> bool:
        """Put the changes into the table; returns whether there is anything to flush."""
        for (partition, key), gathering in self._changed.items():
            self._table.put(partition, key, encode(gathering))
            self.note((partition, key), gathering)
        changed, self._changed = bool(self._changed), {}
        return changed

    def forget(self, partition: int, key: bytes, data: bytes, erased: Callable[[str], bool]) -> None:
        """Take erased customers out of a stored gathering."""
        gathering = decode(data)
        if gathering.without(erased):
            self._table.put(partition, key, encode(gathering))
            self.note((partition, key), gathering)

    def read(self, partition: int, key: bytes, data: bytes) -> None:
        """Note when a stored gathering is due."""
        self.note((partition, key), decode(data))

    def note(self, place: Place, gathering: Gathering) -> None:
        """Note when a gathering is due."""
        if gathering.due:
            self._due[place] = gathering.due
        else:
            self._due.pop(place, None)

    def drop(self, partition: int) -> None:
        """Forget a partition that is no longer held, and what was not stored."""
        self._due = {place: due for place, due in self._due.items() if place[0] != partition}
        self._changed = {}

    def _get(self, place: Place) -> Gathering | None:
        if place in self._changed:
            return self._changed[place]
        data = self._table.get(*place)
        return None if data is None else decode(data)
