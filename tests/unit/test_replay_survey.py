"""A replay of any number of letters: surveyed in files, in the order of their places, broken off and called again."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dead_letters import resend, survey
from streams.dead_letters.lines import OwnLines
from streams.dead_letters.replay import LETTERS, REPLAYED, SEND, Choice, judge
from streams.dead_letters.resend import Replayed
from streams.dead_letters.store import NAME, Letters, _beside, _values
from streams.dead_letters.survey import Survey, pages_of
from streams.model.dead_letter import shows
from streams.settings import Settings

TOPICS = ["cx.booking", "cx.stay"]

letter = st.fixed_dictionaries(
    {
        "topic": st.sampled_from([*TOPICS, "file:/a.jsonl"]),
        "partition": st.integers(0, 1),
        "offset": st.integers(-1, 4),
        "epoch": st.integers(0, 1),
        "payload_hash": st.integers(0, 2),
        "content": st.integers(0, 3),
        "content_rest": st.integers(0, 1),
        "reason": st.sampled_from(["bad_time", "undecodable"]),
        "attempts": st.integers(1, 6),
        "failed_at": st.integers(0, 3),
        "bytes": st.just(10),
        "replayed": st.booleans(),
    }
)
letters = st.lists(letter, max_size=40, unique_by=lambda one: tuple(one[column] for column in NAME)).map(
    lambda rows: pl.DataFrame(rows, schema=LETTERS).sort(NAME)
)


def paged(every: pl.DataFrame, size: int) -> Any:
    """As streams.dead_letters.store.Letters.page answers."""

    def page(after: tuple[object, ...] | None) -> pl.DataFrame:
        rows = [at for at, name in enumerate(every.select(NAME).iter_rows()) if after is None or name > after]
        return every[rows[:size]]

    return page


@given(letters, st.integers(1, 9), st.integers(1, 50), st.booleans())
def test_a_survey_in_files_judges_as_if_it_had_all_in_memory(
    every: pl.DataFrame, size: int, in_file: int, again: bool
) -> None:
    choice = Choice(again=again, reasons=["bad_time"])
    whole = judge(every, choice, TOPICS, 100)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "IN_FILE", in_file)
        found = Survey(pages_of(paged(every, size), size), every.height, choice, TOPICS, 100, Path(folder))
        got = [name for some in found.letters() for name in some.select(NAME).iter_rows()]
        assert not [path for path in Path(folder).rglob("*") if path.is_file()]
    assert got == sorted(whole.filter(pl.col("fate") == SEND).select(NAME).iter_rows())
    assert found.meant == len(got)
    assert found.kept == Counter(whole.filter(pl.col("fate") != SEND)["fate"].to_list())


names = st.tuples(st.sampled_from(["a", "b", "it's"]), *[st.integers(0, 2)] * 4)


@given(names, names, st.sampled_from([">", ">=", "<="]))
def test_a_page_begins_where_the_one_before_ended(one: Any, other: Any, relation: str) -> None:
    condition = re.sub(r"\{(\w+):\w+\}", r":\1", _beside(other, relation, "x"))
    columns = ", ".join(f"? AS {column}" for column in NAME)
    numbered = re.sub(r"\?", lambda _: next(marks), columns) if (marks := iter([f":c{n}" for n in range(5)])) else ""
    values = _values(other, "x") | {f"c{number}": value for number, value in enumerate(one)}
    with sqlite3.connect(":memory:") as base:
        ((got,),) = base.execute(f"SELECT count() FROM (SELECT {numbered}) WHERE {condition}", values).fetchall()
    assert bool(got) == {">": one > other, ">=": one >= other, "<=": one <= other}[relation]


@given(st.binary(max_size=12), st.binary(max_size=12), st.sets(st.integers(0, 11)), st.booleans())
def test_a_letter_is_of_a_record_that_differs_only_where_it_is_masked(
    record: bytes, other: bytes, masked: set[int], quoted: bool
) -> None:
    letter = bytes((ord('"') if quoted else ord("*")) if at in masked else byte for at, byte in enumerate(record))
    assert shows("", (None, letter), (None, record))
    same = len(letter) == len(other) and all(a == b or a in b'*"' for a, b in zip(letter, other, strict=True))
    assert shows("", (None, letter), (None, other)) == same


class Store:
    """Letters with payloads, and which of them were sent."""

    def __init__(self, number: int) -> None:
        self.every = pl.DataFrame(
            [
                {
                    **dict.fromkeys(LETTERS, 0), "topic": TOPICS[at % 2], "partition": at % 3, "offset": at,
                    "content": at, "reason": "bad_time", "attempts": 1, "bytes": 10, "replayed": False,
                }
                for at in range(number)
            ],
            schema=LETTERS,
        ).sort(NAME)  # fmt: skip
        self.remembered: list[int] = []

    def count(self) -> int:
        return self.every.height

    def page(self, after: Any, size: int, topics: Any = ()) -> pl.DataFrame:
        sent = pl.col("offset").is_in(self.remembered)
        return cast(pl.DataFrame, paged(self.every.with_columns(replayed=sent), size)(after))

    def whole(self, letters: pl.DataFrame) -> pl.DataFrame:
        assert letters.select("topic", "partition").n_unique() == 1
        assert letters["offset"].is_sorted()
        return letters.with_columns(key=pl.lit(None, pl.Binary), payload=pl.lit(b"x"), detail=pl.lit(""))

    def remember(self, letters: pl.DataFrame) -> None:
        self.remembered += letters["offset"].to_list()


class Killed(Exception):
    """In place of SIGKILL."""


class Sender:
    """Counts what it sends, and dies after some chunks: of the last one its record is not made."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.sent: Counter[int] = Counter()
        self._left = dies_after

    async def original(self, letters: pl.DataFrame, done: Replayed) -> pl.DataFrame:
        return letters

    async def send(self, letters: pl.DataFrame) -> None:
        self.sent.update(letters["offset"].to_list())
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise Killed


def silent(text: str) -> None:
    """Says nothing."""


def go(store: Store, sender: Sender | None, folder: Path, limit: int | None = None) -> Replayed:
    done, letters, by = Replayed(), cast(Letters, store), cast(resend.Sender | None, sender)
    folder.mkdir()
    found = resend.survey_of(letters, Choice(), Settings(), folder, silent)
    done.kept.update(found.kept)
    asyncio.run(resend.go_through(letters, by, OwnLines(), found, limit, None, done, silent))
    return done


@pytest.mark.parametrize("dies_after", [0, 1, 7])
def test_killed_in_the_middle_and_called_again_it_doubles_one_chunk_at_most(
    dies_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resend, "CHUNK", 10)
    monkeypatch.setattr(resend, "FETCH", 25)
    store, first, second = Store(300), Sender(dies_after), Sender()
    with pytest.raises(Killed):
        go(store, first, tmp_path / "first")
    done = go(store, second, tmp_path / "second")
    count = 300 - done.total
    assert done.kept == ({REPLAYED: count} if count else {})
    sent = first.sent + second.sent
    assert sent.keys() == {*range(300)}
    assert sum(sent.values()) - 300 == (first.sent.total() - count) <= 10
    assert sorted(store.remembered) == [*range(300)]


@pytest.mark.parametrize("limit", [1, 25, 299, 300, 1000])
def test_a_limit_is_kept_and_what_it_leaves_is_counted(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resend, "CHUNK", 10)
    sent = go(store := Store(300), sender := Sender(), tmp_path / "sent", limit)
    tried = go(Store(300), None, tmp_path / "tried", limit)
    assert (sent.total, sent.beyond) == (tried.total, tried.beyond) == (min(limit, 300), max(0, 300 - limit))
    assert len(store.remembered) == sender.sent.total() == sent.total


def test_records_are_read_a_bounded_number_of_bytes_at_a_time() -> None:
    cut = " (cut: 0 of 40000000 bytes of the payload and 0 of 5 of the key are here)"
    some = pl.DataFrame({"key": [None] * 4, "payload": [b"x"] * 4, "detail": [f"large{cut}"] * 3 + ["small"]},
                        schema={"key": pl.Binary, "payload": pl.Binary, "detail": pl.String})  # fmt: skip
    assert [resend._fitting(some.slice(at), 4) for at in range(4)] == [1, 1, 2, 1]


def test_progress_says_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = iter([0.0, 5.0, 20.0, 20.0, 20.0])
    monkeypatch.setattr(resend, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    progress = resend.Progress(said.append, "{done:,} of {all:,} sent", 4000)
    progress.at(500)
    progress.at(2000)
    assert said == ["2,000 of 4,000 sent, 100 a second, 20 s to go ..."]
