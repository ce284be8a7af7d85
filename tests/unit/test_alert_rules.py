"""The file of alert rules: what it may say, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.alerts.rules import RuleError, load, parse

GOOD = """
[noise]
severity = "low"
reason = "{touchpoint} at {unit}"
scope = "journey"
cooldown = "12h"
when = [{ touchpoints = ["stay.noise_reported"] }]
close.case_roles = ["resolve"]
close.milestones = ["completed"]
"""


def test_the_rules_that_come_with_rihla() -> None:
    rules = load()
    assert {*rules} >= {"detractor", "negative_review", "sentiment_drop", "halal_breach", "case_overdue"}
    assert rules["case_unanswered"].after_text == "1d"
    assert "stay.complaint_resolved" in rules["case_overdue"].close.in_case
    assert "booking.confirmed" in rules["journey_stalled"].close.anywhere
    for rule in rules.values():
        assert rule.close.in_case | rule.close.anywhere, f"nothing closes {rule.name}"


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(GOOD, "utf-8")
    (rule,) = load(str(path)).values()
    assert (rule.name, rule.severity, rule.scope, rule.cooldown, rule.after) == (
        "noise",
        "low",
        "journey",
        43_200_000,
        0,
    )
    assert rule.max_age == 7 * 86_400_000
    assert rule.close.anywhere == {"stay.checked_out"}
    assert rule.when[0].touchpoints == {"stay.noise_reported"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"low"', '"urgent"'), "noise: severity must be one of low, medium, high, critical, not 'urgent'"),
        (('"12h"', '"soon"'), 'noise: cooldown must be a duration such as "90s"'),
        (('"12h"', '"0s"'), "noise: cooldown must not be zero"),
        (
            ("stay.noise_reported", "stay.noise"),
            "when: touchpoints has 'stay.noise', which the catalogue does not know",
        ),
        (("{unit}", "{guest}"), "noise: reason has other placeholders"),
        (("{unit}", "{unit"), "noise: reason has other placeholders"),
        (("cooldown", "cool_down"), "noise: cool_down is not a key here; there are severity,"),
        (("touchpoints", "touchpoint"), "when: touchpoint is not a key here; there are touchpoints,"),
        (("{ touchpoints", "{ answer_at_most = 3, touchpoints"), "when: answer_at_most needs an instrument"),
        (("{ touchpoints", "{ score_at_most = -2, touchpoints"), "score_at_most must be a number from -1 to 1, not -2"),
        (("when = [", "drop = { by = 0.1, to = 0 }\nwhen = ["), "noise: when or drop must be given, and not both"),
        (("when = [{", "other = [{"), "noise: when or drop must be given"),
        (('{ touchpoints = ["stay.noise_reported"] }', "{}"), "a condition without a key would hold for every event"),
        (('["resolve"]', '"resolve"'), "close: case_roles must be a list that is not empty"),
        (('["resolve"]', '["done"]'), "close: case_roles has 'done'"),
        (("[noise]", "[Noise]"), "Noise: a rule's name is small letters, digits and _"),
        (("[noise]", "noise = 1\n[x]"), "noise: is not a table"),
        (("[noise]", "[noise"), "not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(change: tuple[str, str], message: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(RuleError) as caught:
        parse(GOOD.replace(*change), "mine.toml")
    assert str(caught.value).startswith("alert rules mine.toml: ")
    assert message in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"none\.toml"):
        load(str(tmp_path / "none.toml"))
