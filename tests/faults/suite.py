"""What a fault is to the suite, and which modules have some.

A module of MODULES has `FAULTS`, a sequence of objects with a `name` and `run(seed, broker) -> Outcome`. One run starts
what it needs (topics and a database of its own), lets the fault happen while events flow, waits until all is stored,
and reports every way in which what is stored is not what it must be.
"""

from __future__ import annotations

import asyncio
import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Protocol

from tests.support.brokers import Broker
from tests.support.waiting import HUNG

MODULES = (
    "tests.faults.processes",
    "tests.faults.repartitioning",
    "tests.faults.surroundings",
    "tests.faults.cluster",
    "tests.faults.upgrade",
    "tests.faults.runbook",
    "tests.faults.clickhouse",
    "tests.faults.fuzz",
    "tests.faults.collecting",
    "tests.faults.serving",
    "tests.faults.replaying",
)
"""Modules with FAULTS, in the order in which they run."""

TRIAL_SECONDS = HUNG
"""A trial that takes longer has come to a standstill, or goes round in circles."""


@dataclass(frozen=True)
class Outcome:
    """One run: how many events were fed, and what was wrong afterwards, a sentence each."""

    events: int
    differences: list[str] = field(default_factory=list)


class Fault(Protocol):
    """One thing that goes wrong."""

    @property
    def name(self) -> str:
        """A word or some, with hyphens; no two faults have the same."""

    def run(self, seed: int, broker: Broker) -> Outcome:
        """One trial. The same seed makes the same events and the same choices; what processes make of them may vary.

        broker: a running Apache Kafka; the run leaves it running. A fault whose `own_broker` is true starts one for
        itself instead. Raises when the trial could not be held.
        """


class OwnBrokerFault(ABC):
    """A fault whose runs start brokers of their own, so that none is needed beside it."""

    own_broker = True

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, seed: int, broker: Broker) -> Outcome:
        """See Fault.run."""
        return asyncio.run(self._run(seed))

    @abstractmethod
    async def _run(self, seed: int) -> Outcome: ...


def faults(modules: Sequence[str] = MODULES) -> dict[str, Fault]:
    """Name -> fault, of all modules that there are."""
    found: dict[str, Fault] = {}
    for module in modules:
        if find_spec(module) is None:
            continue
        for fault in importlib.import_module(module).FAULTS:
            if fault.name in found:
                raise ValueError(f"two faults are called {fault.name}")
            found[fault.name] = fault
    return found
