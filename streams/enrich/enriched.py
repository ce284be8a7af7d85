"""The result of enriching a group of events."""

from __future__ import annotations


class Enriched:
    """Interactions, in the order of their events, and the other events.

    values: of each interaction, in Avro with its header. subjects: of each, `kind:value`.
    rows: of each the position of its event in the group.
    links: what they say of who is who (see streams.model.subjects): (subject, identifier) -> the earliest time.
    channels: how many there are of each. unknown: how many have a touchpoint that the catalogue lacks.
    texts: of each that has a text, the language, and whether the text gave the score.
    reserved: what stands among several identifiers of an event, and is none (streams.model.identifiers).
    refused: (position, reason, detail) of events, by channel. erased: how many are of somebody who was erased.
    clear: of refused ones with an address or a number in clear, by position: the payload without it, and what it is.
    nobody: how many identifiers were taken out because they are nobody.
    lost: how many values of fields that no schema here has could not be kept, by channel.
    """

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.subjects: list[bytes] = []
        self.rows: list[int] = []
        self.links: dict[tuple[bytes, bytes], int] = {}
        self.channels: dict[str, int] = {}
        self.unknown = 0
        self.texts: list[tuple[str | None, bool]] = []
        self.reserved: list[bytes] = []
        self.refused: list[tuple[int, str, str]] = []
        self.clear: dict[int, tuple[bytes, list[str]]] = {}
        self.erased = 0
        self.nobody = 0
        self.lost: dict[str, int] = {}

    def names(self) -> set[bytes]:
        """All identifiers of the interactions, their bookings included."""
        return {*self.subjects, *[identifier for _, identifier in self.links], *self.reserved}

    def sort(self) -> None:
        """Put the interactions in the order of their events."""
        order = sorted(range(len(self.rows)), key=self.rows.__getitem__)
        self.rows = [self.rows[at] for at in order]
        self.values = [self.values[at] for at in order]
        self.subjects = [self.subjects[at] for at in order]
