"""When the next step of each escalation is due. Pure."""

from __future__ import annotations

from streams.deliver.state import Entry, Place


class Due:
    """Of the things of one worker, epoch ms, by partition and key."""

    def __init__(self) -> None:
        self._at: dict[Place, int] = {}

    def note(self, place: Place, entry: Entry) -> None:
        """Note the next step of a thing, or that it has none."""
        if entry.steps:
            self._at[place] = min(one.due for one in entry.steps)
        else:
            self.forget(place)

    def forget(self, place: Place) -> None:
        """The thing is gone."""
        self._at.pop(place, None)

    def drop(self, partition: int) -> None:
        """The partition is gone."""
        self._at = {place: at for place, at in self._at.items() if place[0] != partition}

    def until(self, now: int) -> list[Place]:
        """The things that have a step due by now, epoch ms."""
        return [place for place, at in self._at.items() if at <= now]
