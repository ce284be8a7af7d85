"""The changes that a batch causes, collected by `fold`."""

from __future__ import annotations

from streams.alerts.tally import Transition
from streams.stitch.rows import Row


class Changes:
    """States to store, records to publish, and counts for metrics.

    states: by key. journeys, customers, cases, parts, alerts, moves, segments, next_actions, invitations, messages:
        records of these schemas.
    recalls: subjects whose events ClickHouse is to send again, as records of recall.avsc.
    due: state key -> when its next timer is due, epoch ms; 0: it has none.
    opened: state key -> (rule, severity) of each of its alerts that are open.
    transitions: of alerts, for metrics; a replay adds none.
    replayed: messages read again that had been applied already.
    """

    def __init__(self) -> None:
        self.states: dict[bytes, bytes] = {}
        self.journeys: list[Row] = []
        self.customers: list[Row] = []
        self.cases: list[Row] = []
        self.parts: list[Row] = []
        self.alerts: list[Row] = []
        self.moves: list[Row] = []
        self.segments: list[Row] = []
        self.next_actions: list[Row] = []
        self.invitations: list[Row] = []
        self.messages: list[Row] = []
        self.recalls: list[Row] = []
        self.due: dict[bytes, int] = {}
        self.opened: dict[bytes, tuple[tuple[str, str], ...]] = {}
        self.transitions: list[Transition] = []
        self.folded = 0
        self.duplicates = 0
        self.replayed = 0
