"""Work on many records, some of which may make the code raise. Halving finds these; all others are processed.

All records are tried at once, and usually that succeeds. Where it raises, each half is tried by itself, down to single
records: a record that raises alone is at fault. One faulty record of n costs about 2 log2(n) attempts. Two halves that
raise only together are processed one after the other, and no record is at fault.

Not every exception says something of a record. `is_of_record` knows those that do not: they pass, and end as they
would without this module.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import polars as pl
from aiokafka.errors import KafkaError

from schemas.registry import RegistryError
from streams.errors import RihlaError
from streams.kafka.ownership import OwnershipLost

T = TypeVar("T")

_OF_THE_WORLD = (MemoryError, OSError, EOFError, KafkaError, RegistryError, OwnershipLost, RihlaError)
"""Errors that mean that a broker, a database, a disk or a partition is away, or memory is short, whatever the records
are.
"""


class Fault(NamedTuple):
    """A record that raises by itself: its position, and what it raises."""

    at: int
    error: BaseException


class Sifted(NamedTuple, Generic[T]):
    """The outcome of work on records."""

    done: list[tuple[range, T]]
    """Ranges of positions, ascending, each with the result of the work on it; together all but the faulty records."""
    faults: list[Fault]
    """By position."""


class Sieve:
    """Says which records to try next. For work that is awaited; synchronous work calls `sift`.

    while (some := sieve.next()) is not None: try the records at these positions; where that raises, call `failed`.
    """

    def __init__(self, count: int) -> None:
        """count: number of records, whose positions are 0 to count - 1."""
        self._waiting = [range(count)] if count else []
        self.faults: list[Fault] = []

    def next(self) -> range | None:
        """Positions to try, ascending from call to call; None: all are done."""
        return self._waiting.pop() if self._waiting else None

    def failed(self, some: range, error: BaseException) -> None:
        """Note that the work on these positions raised and changed nothing. Raises the error if no record is at fault
        (`is_of_record`)."""
        if not is_of_record(error):
            raise error
        if len(some) == 1:
            self.faults.append(Fault(some.start, error))
        else:
            half = len(some) // 2
            self._waiting += [some[half:], some[:half]]


def sift(count: int, work: Callable[[range], T]) -> Sifted[T]:
    """Do the work on `count` records but for those that make it raise by themselves.

    work: is given positions, ascending from call to call. Where it raises, nothing must be changed by it; where it
        returns, they are done, and it may build on that in the next call.

    Raises what `work` does where that is of no record (`is_of_record`).
    """
    sieve, done = Sieve(count), list[tuple[range, T]]()
    while (some := sieve.next()) is not None:
        try:
            done.append((some, work(some)))
        except BaseException as error:  # Polars' panics are no Exceptions
            sieve.failed(some, error)
    return Sifted(done, sieve.faults)


def is_of_record(error: BaseException) -> bool:
    """Whether a record is at fault for an exception; otherwise broker, database, disk, partition or memory is."""
    if isinstance(error, pl.exceptions.PanicException):
        return True
    return isinstance(error, Exception) and not isinstance(error, _OF_THE_WORLD)


def described(stage: str, error: BaseException) -> str:
    """A sentence that says what was raised, and where. Nothing that the exception says: it may quote the record."""
    frames = traceback.extract_tb(error.__traceback__)
    place = ""
    if frames:
        path = Path(frames[-1].filename)
        place = f" ({path.parent.name}/{path.name}:{frames[-1].lineno})"
    return f"{stage} raised {type(error).__name__}{place}"
