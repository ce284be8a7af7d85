"""Transitions of alerts (raised, acknowledged, closed), and how many alerts are open: for metrics. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from streams.alerts.watch import Alert, Watch

RAISED, ACKNOWLEDGED, CLOSED = "raised", "acknowledged", "closed"


class Transition(NamedTuple):
    """An alert that was raised, acknowledged or closed."""

    what: str
    """RAISED (for the first time, or opened again), ACKNOWLEDGED or CLOSED."""
    rule: str
    severity: str
    latest: int
    """Time of the latest of its signals, epoch ms."""


Before = Mapping[str, tuple[int | None, int | None]]
"""alert_id -> (acknowledged_at, closed_at), as they were."""


def before(watch: Watch) -> Before:
    """The alerts of a watch as they are now, for `transitions` to compare with."""
    return {alert.alert_id: (alert.acknowledged_at, alert.closed_at) for alert in watch.alerts}


def transitions(known: Before, changed: Iterable[Alert]) -> list[Transition]:
    """The transitions of alerts that have changed. known: the alerts as they were before."""
    found = []
    for alert in changed:
        acknowledged, closed = known.get(alert.alert_id, (None, None))
        steps = []
        if alert.alert_id not in known or (closed is not None and alert.closed_at is None):
            steps.append(RAISED)
        if acknowledged is None and alert.acknowledged_at is not None:
            steps.append(ACKNOWLEDGED)
        if closed is None and alert.closed_at is not None:
            steps.append(CLOSED)
        found += [Transition(what, alert.rule, alert.severity, alert.latest) for what in steps]
    return found


def open_of(watch: Watch | None) -> tuple[tuple[str, str], ...]:
    """(rule, severity) of each open alert."""
    alerts: Sequence[Alert] = () if watch is None else watch.alerts
    if not alerts:
        return ()
    return tuple((alert.rule, alert.severity) for alert in alerts if alert.closed_at is None)


class OpenAlerts:
    """How many alerts of some states are open, by rule and severity."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, tuple[tuple[str, str], ...]] = {}
        self.count: Counter[tuple[str, str]] = Counter()

    def update(self, opened: Mapping[bytes, tuple[tuple[str, str], ...]]) -> None:
        """Replace the open alerts of states (see `open_of`)."""
        for key, now in opened.items():
            self.count.subtract(self._by_key.pop(key, ()))
            if now:
                self._by_key[key] = now
                self.count.update(now)
