"""Which dead letters are sent again: each record once, never for ever, never to where it would do harm."""

from __future__ import annotations

import json
from typing import Any

import click
import polars as pl
import pytest

from streams.cli import main
from streams.cli.replay import _moment, _rate
from streams.dead_letters.lines import OwnLines
from streams.dead_letters.replay import (
    GIVEN_UP,
    LETTERS,
    OTHER_TOPIC,
    REPLAYED,
    SEND,
    TOO_LARGE,
    Choice,
    judge,
    wait_for,
)
from streams.model.dead_letter import ATTEMPTS_HEADER, DeadLetter, attempts, letters_frame

INPUTS = {"cx.booking", "cx.stay"}
EVENT = {
    "channel": "stay",
    "event_id": "7b0c2ad4-6a0e-4c1d-9a49-0f1f6f6f0001",
    "occurred_at": "2026-03-01T10:00:00Z",
    "ids": [{"kind": "customer", "value": "C1"}],
    "touchpoint": "stay.arrived",
    "medium": "web",
}


def letters(*changes: dict[str, Any]) -> pl.DataFrame:
    """Letters that differ from one another in offset and content, and as given."""
    rows = [
        {
            "topic": "cx.booking",
            "partition": 0,
            "offset": at,
            "epoch": 0,
            "payload_hash": at,
            "content": at,
            "content_rest": 0,
            "reason": "bad_time",
            "attempts": 1,
            "failed_at": 1000 + at,
            "bytes": 100,
            "replayed": False,
            **change,
        }
        for at, change in enumerate(changes)
    ]
    return pl.DataFrame(rows, schema=LETTERS)


def fates(frame: pl.DataFrame, choice: Choice | None = None) -> dict[int, str]:
    """Offset: fate."""
    return dict(judge(frame, choice or Choice(), INPUTS, 1000).select("offset", "fate").iter_rows())


def test_each_letter_has_its_fate() -> None:
    frame = letters(
        {},
        {"replayed": True},
        {"attempts": 4},
        {"attempts": 5},
        {"topic": "cx.journeys"},
        {"topic": "other.booking"},
        {"topic": "file:/a.jsonl"},
        {"bytes": 1001},
    )
    expected = [SEND, REPLAYED, SEND, GIVEN_UP, OTHER_TOPIC, OTHER_TOPIC, SEND, TOO_LARGE]
    assert fates(frame) == dict(enumerate(expected))
    assert fates(frame, Choice(again=True))[1] == SEND
    assert fates(frame, Choice(max_attempts=6))[3] == SEND


def test_of_one_record_only_the_letter_tried_most_often_counts() -> None:
    same = {"content": 77}
    first, second = {**same, "replayed": True, "failed_at": 9000}, {**same, "attempts": 2, "failed_at": 2000}
    assert fates(letters(first, second)) == {1: SEND}
    assert fates(letters(second, first)) == {0: SEND}
    assert fates(letters({**same}, {**same, "topic": "cx.stay"})) == {0: SEND, 1: SEND}


def test_a_record_that_succeeded_is_not_sent_again_and_one_that_failed_is_until_it_is_given_up() -> None:
    frame = letters({"content": 71}, {"content": 72})
    rounds = 0
    while SEND in (fate := fates(frame)).values():
        sent = frame.filter(pl.col("offset").is_in([at for at, one in fate.items() if one == SEND]))
        tried = [attempts([(ATTEMPTS_HEADER, str(n).encode())]) for n in sent["attempts"]]
        refused = sent.with_columns(
            attempts=pl.Series(tried), offset=pl.col("offset") + 10, failed_at=pl.lit(9000 + rounds, pl.Int64)
        )
        frame = pl.concat(
            [
                frame.with_columns(replayed=pl.col("replayed") | pl.col("offset").is_in(sent["offset"].implode())),
                refused.filter(pl.col("content") == 72),
            ]
        )
        rounds += 1
    assert rounds == 4
    assert sorted(fates(frame).values()) == [GIVEN_UP, REPLAYED]


def test_the_choice_is_made_among_the_letters_that_count() -> None:
    frame = letters(
        {}, {"reason": "no_identifier"}, {"topic": "cx.stay"}, {"content": 73}, {"content": 73, "reason": "too_long"}
    )
    frame = frame.with_columns(attempts=pl.when(pl.col("offset") == 4).then(2).otherwise(pl.col("attempts")))
    assert fates(frame, Choice(reasons=["bad_time"])).keys() == {0, 2}
    assert fates(frame, Choice(topics={"cx.stay", "stay"})).keys() == {2}
    assert fates(frame, Choice(since_ms=1001, until_ms=1004)).keys() == {1, 2}


def test_no_letters_at_all() -> None:
    assert fates(letters()) == {}


def test_lines_that_are_events_by_now_are_told_from_those_that_are_not() -> None:
    good, bad = json.dumps(EVENT).encode(), json.dumps({**EVENT, "channel": "voyage"}).encode()
    lines = [bad, good, b"", b"{", good, b'{"channel": "st\xff']
    assert OwnLines().readable(lines) == [1, 4]
    (batch,) = OwnLines().events([lines[1], lines[4]])
    assert (batch.channel, batch.frame.height, batch.bad) == ("stay", 2, [])
    assert OwnLines().events([]) == []


def test_a_rate_is_kept_by_waiting() -> None:
    assert wait_for(100, 0.5, 100.0) == 0.5
    assert wait_for(100, 3.0, 100.0) == 0.0
    assert wait_for(100, 0.0, None) == 0.0


def test_flags_are_read() -> None:
    context, flag = click.Context(main.cli), click.Option(["--x"])
    assert _rate(context, flag, "500/s") == _rate(context, flag, "500") == 500.0
    assert _moment(context, flag, "1970-01-02") == 86_400_000
    assert _moment(context, flag, "1970-01-02T02:00:00.5+02:00") == 86_400_500


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "fast"], "not a number of letters a second"),
        (["--rate", "0"], "not a number of letters a second"),
        (["--since", "yesterday"], "not an ISO 8601 time"),
        (["--reason", "ugly"], "none of undecodable"),
        (["--limit", "0"], "not in the range"),
    ],
)
def test_wrong_flags_are_usage_errors(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["replay", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_letter_that_was_replayed_in_vain_says_so() -> None:
    first = DeadLetter("cx.stay", 0, 7, b"k", b"p", "bad_time", "the clock is wrong")
    told = letters_frame([first, first._replace(offset=9, attempts=3)], 1)
    assert told["detail"].to_list() == ["the clock is wrong", "the clock is wrong (replayed in vain: attempt 3)"]
    assert told["attempts"].to_list() == [1, 3]
