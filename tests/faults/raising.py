"""Stages at which the code of a worker under test raises, for records that ask for it: see tests.faults.failpoints.

A record asks by the name of a stage (STAGES) in its `unit`, its booking reference, or an identifier. Some stages do
their work before they raise: what they have done must then be taken back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

VARIABLE = "RIHLA_RAISE"
STAGES = {
    "enrich": ("raise-at-decode", "raise-at-rule", "raise-at-score", "raise-at-sending"),
    "identity": ("raise-at-link", "raise-at-identity"),
    "stitch": ("raise-at-reading", "raise-at-fold", "raise-after-fold", "raise-at-journey", "raise-at-timer"),
    "sink": ("raise-at-row", "raise-at-insert"),
}
"""Worker: the stages at which it raises."""


class RaisedError(Exception):
    """What a stage raises. Its message quotes what it was given, as many an exception does."""


def hook(worker: str) -> None:
    """Have the stages of a worker raise, in this process."""
    {"enrich": _enrich, "identity": _identity, "stitch": _stitch, "sink": _sink}[worker]()


def _enrich() -> None:
    from streams.enrich import splice
    from streams.enrich.transform import Enricher
    from streams.worker.io import WorkerIO

    _before(Enricher, "enrich", "raise-at-decode")
    _after(Enricher, "enrich", "raise-at-rule")
    _before(splice, "scrub_text", "raise-at-score")
    _before(WorkerIO, "encode", "raise-at-sending")


def _identity() -> None:
    from schemas.decode import BatchDecoder
    from streams.identity.resolver import Resolver
    from streams.worker.io import WorkerIO

    _after(Resolver, "take", "raise-at-link")
    _after(WorkerIO, "encode", "raise-at-identity")
    _before(BatchDecoder, "decode", "raise-at-decode")


def _stitch() -> None:
    from streams.stitch import agent, reading
    from streams.worker.io import WorkerIO

    _after(reading.Reader, "_interactions", "raise-at-reading")
    _before(agent, "fold_messages", "raise-at-fold")
    _after(agent, "fold_messages", "raise-after-fold")
    _after(WorkerIO, "encode", "raise-at-journey")
    _after(agent, "fold_due", "raise-at-timer")


def _sink() -> None:
    from schemas.decode import BatchDecoder
    from sinks.clickhouse import writer

    _after(BatchDecoder, "decode", "raise-at-row")
    _after(writer, "to_arrow", "raise-at-insert")


def _before(owner: Any, name: str, stage: str) -> None:
    _around(owner, name, stage, lambda call, arguments, named: (_check(stage, arguments), call(*arguments, **named))[1])


def _after(owner: Any, name: str, stage: str) -> None:
    _around(owner, name, stage, lambda call, arguments, named: (call(*arguments, **named), _check(stage, arguments))[0])


def _around(owner: Any, name: str, stage: str, run: Callable[..., Any]) -> None:
    function = getattr(owner, name)

    @functools.wraps(function)
    def surrounded(*arguments: Any, **named: Any) -> Any:
        return run(function, arguments, named)

    setattr(owner, name, surrounded)


def _check(stage: str, arguments: tuple[Any, ...]) -> None:
    """Raise if a record among the arguments asks for it; not where that is only told of, in a dead letter."""
    first, *others = arguments
    if "dead_letter" in (getattr(first, "_name", ""), *(one for one in others if isinstance(one, str))):
        return
    if any(getattr(one, "schema", None) == "dead_letter" for one in others):
        return
    for one in arguments:
        if stage in (text := _text(one)):
            raise RaisedError(f"{stage}: {text:.200}")


def _text(value: Any, depth: int = 0) -> str:
    """All texts in a value, and in the values that it is made of."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if depth > 6:
        return ""
    if isinstance(value, dict):
        return " ".join(_text(one, depth + 1) for pair in value.items() for one in pair)
    if isinstance(value, (list, tuple, set)):
        return " ".join(_text(one, depth + 1) for one in value)
    if hasattr(value, "rows") and callable(value.rows):
        return _text(value.rows(), depth + 1)
    if type(value).__name__ in ("Records", "Messages", "Event"):
        return " ".join(
            _text(getattr(value, name), depth + 1)
            for name in ("values", "interactions", "identities", "parts", "unit", "booking_ref")
            if hasattr(value, name)
        )
    return ""
