"""Topics whose numbers of partitions do not fit each other, and states that were written for another number."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kafka.layout import LayoutError, changed, changelog, check_places, misfit, sibling
from streams.kafka.partitioner import partitions_of
from streams.settings import Settings
from streams.topology import WITH_STATE

SETTINGS = Settings(prefix="cx")
WHOLE = {SETTINGS.topic(name): 4 for name in WITH_STATE} | {
    "cx.links": 1,
    "cx.erasures": 1,
    "cx-stitch-state-changelog": 4,
}


def test_topics_that_fit_are_right_and_so_are_some_that_are_missing() -> None:
    assert changelog(SETTINGS) == "cx-stitch-state-changelog"
    assert misfit(WHOLE, SETTINGS) is None
    assert misfit({}, SETTINGS) is None
    assert misfit({"cx.interactions": 9}, SETTINGS) is None
    assert misfit({**WHOLE, "cx.journeys": 7, "cx.booking": 1, "other.interactions": 2}, SETTINGS) is None


@pytest.mark.parametrize("topic", [*(SETTINGS.topic(name) for name in WITH_STATE), changelog(SETTINGS)])
def test_one_that_has_more_than_the_others_is_told_with_the_command_that_mends_it(topic: str) -> None:
    wrong = misfit({**WHOLE, topic: 6}, SETTINGS)
    assert isinstance(wrong, LayoutError)
    assert f"{topic} 6" in str(wrong)
    assert wrong.hint is not None
    assert wrong.hint.endswith("rihla repartition --to 6")


def test_a_topic_whose_order_counts_has_one_partition() -> None:
    assert "cx.links has 2 partitions" in str(misfit({**WHOLE, "cx.links": 2}, SETTINGS))


def test_a_move_that_was_broken_off_comes_first() -> None:
    wrong = misfit({"cx.repartition": 1, "cx.interactions": 6, "cx.parts": 4}, SETTINGS)
    assert "not finished" in str(wrong)
    wrong = misfit({**WHOLE, "cx.rebuild": 1}, SETTINGS)
    assert "a rebuild was begun" in str(wrong)
    assert misfit({**WHOLE, "other.rebuild": 1}, SETTINGS) is None


def test_a_worker_knows_when_topics_are_no_longer_as_they_were_though_they_fit() -> None:
    assert SETTINGS.partitions == 4
    assert changed(WHOLE, SETTINGS) is None
    wrong = changed(dict.fromkeys(WHOLE, 6), SETTINGS)
    assert "had 4 partitions when this worker started, and has 6" in str(wrong)


def test_a_topic_that_is_missing_gets_as_many_as_its_siblings() -> None:
    assert sibling({"cx.parts": 6, "cx.links": 1, "cx.journeys": 9}, SETTINGS) == 6
    assert sibling({"cx.links": 1}, SETTINGS) is None


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(0, 1000))
def test_states_of_another_number_of_partitions_are_told_from_those_in_their_place(
    count: int, before: int, seed: int
) -> None:
    keys = [b"customer:C%d" % (1000 * seed + n) for n in range(600)]
    for partition, places in ((0, partitions_of(keys, count)), (0, partitions_of(keys, before))):
        held = [key for key, place in zip(keys, places, strict=True) if place == partition]
        if places is not None and {*partitions_of(held, count)} <= {partition}:
            check_places(partition, count, held)  # every key is in its place
        else:
            with pytest.raises(LayoutError, match="customers looked at"):
                check_places(partition, count, held)


def test_a_few_keys_that_a_foreign_producer_put_elsewhere_are_no_reason_to_stop() -> None:
    keys = [b"customer:C%d" % n for n in range(400)]
    held = [key for key, place in zip(keys, partitions_of(keys, 4), strict=True) if place == 1]
    strange = [key for key, place in zip(keys, partitions_of(keys, 4), strict=True) if place == 2][:5]
    check_places(1, 4, held + strange)
