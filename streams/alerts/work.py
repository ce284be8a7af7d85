"""People's work on an alert: who has taken it, until when it is snoozed, when they reacted, when they settled it.

A function of the set of answers, in the order of their times: pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.alerts.signals import Answer, Signal
from streams.loop.answers import TOUCHPOINTS


class Work(NamedTuple):
    """Times are epoch ms. reacted: the first answer since the alert was last declined ("not mine"). resolved: the first
    settlement after the latest cause."""

    handler: str | None = None
    snoozed_until: int | None = None
    reacted: int | None = None
    resolved: int | None = None


NOTHING = Work()


def worked(alert_id: str, signals: Sequence[Signal], answers: Sequence[Answer]) -> Work:
    """The work on the alert of these signals, from the answers in order of time."""
    some = [answer for answer in answers if answer.touchpoint in TOUCHPOINTS]
    if not some:
        return NOTHING
    causes = {(signal.rule, signal.event_id) for signal in signals}
    cases = {signal.case_id for signal in signals if signal.has_case}
    latest = max(signal.at for signal in signals)
    return made_of([answer for answer in some if _is_about(answer, alert_id, causes, cases)], latest)


def made_of(answers: Iterable[Answer], latest: int) -> Work:
    """The work that people's answers describe, given in order of time. latest: time of the latest cause, epoch ms."""
    handler, until, reacted, resolved = None, None, None, None
    for answer in answers:
        verb = TOUCHPOINTS[answer.touchpoint]
        if verb == "decline":
            if handler in (None, answer.who):
                handler, reacted = None, None
            continue
        if verb == "snooze":
            until = answer.until or until
            continue
        reacted = answer.at if reacted is None else reacted
        if verb == "resolve":
            resolved = answer.at if resolved is None and answer.at >= latest else resolved
        if verb == "assign" or handler is None:
            handler = answer.who
    return Work(handler, until, reacted, resolved)


def _is_about(answer: Answer, alert_id: str, causes: set[tuple[str, bytes]], cases: set[str | None]) -> bool:
    if answer.alert_id is not None:
        return answer.alert_id == alert_id or answer.cause in causes
    return answer.case_id is not None and answer.case_id in cases
