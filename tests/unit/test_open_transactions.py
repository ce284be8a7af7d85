"""A transaction that does not end is named once, with what ends it, and counted until it has ended."""

from __future__ import annotations

import pytest

from streams.kafka.open_transactions import PATIENCE, Ends, OpenTransactions
from streams.settings import Settings

AT = ("cx.booking", 1)
OPEN = {AT: Ends(position=4, stable=4, end=7)}


class Clock:
    """Seconds, as they are set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(clock: Clock) -> OpenTransactions:
    return OpenTransactions(Settings(brokers="kafka:9092"), clock)


def test_one_that_lasts_is_counted_and_logged_once_with_the_command(
    watched: OpenTransactions, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    watched.look(OPEN)
    assert watched.held_back() == {}
    clock.now = PATIENCE
    for _ in range(2):
        watched.look(OPEN)
    assert watched.held_back() == {AT: 3}
    (line,) = caplog.messages
    assert "cx.booking: the transaction at offset 4 of partition 1 has been open for 60 s" in line
    assert "kafka:9092 abort --topic cx.booking --partition 1 --start-offset 4" in line
    watched.look({AT: Ends(7, 7, 7)})
    assert watched.held_back() == {}
    assert caplog.messages[1:] == ["cx.booking[1]: the transaction at offset 4 has ended"]


def test_many_that_end_are_nothing(watched: OpenTransactions, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for stable in range(10):
        clock.now += PATIENCE - 1
        watched.look({AT: Ends(stable, stable, stable + 3)})
    assert watched.held_back() == {}
    assert not caplog.messages


@pytest.mark.parametrize("ends", [Ends(3, 4, 7), Ends(7, 7, 7), Ends(0, -1, -1)])
def test_who_is_behind_or_at_the_end_waits_for_nobody(watched: OpenTransactions, clock: Clock, ends: Ends) -> None:
    watched.look({AT: ends})
    clock.now = 2 * PATIENCE
    watched.look({AT: ends})
    assert watched.held_back() == {}


def test_a_partition_that_was_given_up_is_forgotten(
    watched: OpenTransactions, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    watched.look(OPEN)
    clock.now = PATIENCE
    watched.look(OPEN)
    watched.look({})
    assert watched.held_back() == {}
    watched.look(OPEN)
    assert watched.held_back() == {}, "a worker that gets the partition back begins to count anew"
    assert len(caplog.messages) == 1
