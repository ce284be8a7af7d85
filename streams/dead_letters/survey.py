"""Which of any number of dead letters are to be sent, in the memory of some: the rest is on the disk meanwhile.

Letters come in pages, in the order of their places. Of those with the same content one counts, so they are spread over
files by their content, and a file after the other is judged. What is to be sent is spread again, by the page that it
came from, and read back page by page: in the order in which letters and records can be read without looking for each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

import polars as pl

from streams.dead_letters.replay import LETTERS, SEND, Choice, judge

PAGE = 250_000
"""Letters of a page: without payloads, about 25 MB of memory each time that they are copied."""
IN_FILE = 500_000
"""Letters that are judged at a time, about."""
_PAGE, _FILE = "page", "file"


class Spread:
    """Frames whose rows are in files by a number. Each file is read once, and gone."""

    def __init__(self, folder: Path) -> None:
        """folder: is made."""
        folder.mkdir()
        self._folder = folder
        self._parts: dict[int, list[Path]] = {}

    def put(self, frame: pl.DataFrame, by: str) -> None:
        """Add rows to the files that the column `by` numbers; the column is left out."""
        for (number,), some in frame.group_by(by):
            assert isinstance(number, int)
            parts = self._parts.setdefault(number, [])
            parts.append(self._folder / f"{number}-{len(parts)}.arrow")
            some.drop(by).write_ipc(parts[-1], compression="lz4")

    def take(self) -> Iterator[pl.DataFrame]:
        """The rows of each file, in the order of their numbers."""
        for number in sorted(self._parts):
            parts = self._parts.pop(number)
            yield pl.concat([pl.read_ipc(part) for part in parts])
            for part in parts:
                part.unlink()


class Survey:
    """The letters that are meant, judged. kept: fate (streams.dead_letters.replay) -> letters that are not sent; meant:
    letters that are."""

    def __init__(
        self,
        pages: Iterable[pl.DataFrame],
        about: int,
        choice: Choice,
        inputs: Collection[str],
        max_bytes: int,
        folder: Path,
        looked: Callable[[int], None] = lambda letters: None,
    ) -> None:
        """pages: all letters, as LETTERS, in the order of their names. about: how many there are. inputs, max_bytes:
        see judge. folder: an empty one, for the time of the survey; of a letter it takes up to 100 bytes. looked:
        called with the number of letters seen so far."""
        self.kept: Counter[str] = Counter()
        self.meant = 0
        contents, seen = Spread(folder / "contents"), 0
        files = max(1, math.ceil(about / IN_FILE))
        for number, page in enumerate(pages):
            contents.put(
                page.with_columns(pl.lit(number).alias(_PAGE), (pl.col("content") % files).alias(_FILE)), _FILE
            )
            seen += page.height
            looked(seen)
        self._meant = Spread(folder / "meant")
        for some in contents.take():
            judged = judge(some, choice, inputs, max_bytes)
            self.kept.update(dict(judged.filter(pl.col("fate") != SEND).group_by("fate").len().iter_rows()))
            meant = judged.filter(pl.col("fate") == SEND).drop("fate", "content", "content_rest", "replayed")
            self.meant += meant.height
            self._meant.put(meant, _PAGE)

    def letters(self) -> Iterator[pl.DataFrame]:
        """Those that are meant, by topic, partition, offset and epoch, some at a time; once."""
        for page in self._meant.take():
            yield page.sort("topic", "partition", "offset", "epoch", "payload_hash")


def pages_of(page: Callable[[tuple[object, ...] | None], pl.DataFrame], size: int = PAGE) -> Iterator[pl.DataFrame]:
    """All pages. page: the one after a name (see store.Letters.page); one shorter than `size` is the last."""
    last: tuple[object, ...] | None = None
    while True:
        some = page(last)
        if some.height:
            yield some
        if some.height < size:
            return
        last = some.select([*LETTERS][:5]).row(-1)
