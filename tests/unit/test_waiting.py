"""The patience of the tests themselves: that a busy machine does not use it up, and that it ends."""

from __future__ import annotations

import pytest

from tests.support.waiting import Patience, wait_until


def test_a_second_of_a_busy_machine_counts_less() -> None:
    now, load = [0.0], [1.0]
    patience = Patience(10.0, clock=lambda: now[0], load=lambda: load[0])
    now[0] = 9.0
    assert patience.look()
    load[0] = 20.0
    now[0] = 28.0
    assert patience.look()
    now[0] = 32.0
    assert not patience.look()


def test_what_never_comes_true_fails_and_says_what() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s .*: the end of the world"):
        wait_until(lambda: False, 0.01, "the end of the world")
