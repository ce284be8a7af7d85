"""The items of a JSON array, one by one, each with its line: a file of any size is never in memory as a whole."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any

from streams.sources.events import SourceError
from streams.sources.files import MAX_LINE_BYTES

MAX_ITEM = 64 * MAX_LINE_BYTES
"""Characters of an item after which a file that still cannot be read is given up."""
_BLANKS = " \t\r\n"


def items(blocks: Iterator[bytes], name: str, *, several: bool = False) -> Iterator[tuple[int, Any]]:
    """(line on which it begins, from 1; the item) of the array that a file holds, or of the one object.

    blocks: of the file, in UTF-8. name: of it, for messages. several: objects may follow each other, as `jq .` writes
    them. Raises SourceError where it is no such file, or breaks off, behind the items before that.
    """
    text = _Text(blocks, name)
    first = text.after(_BLANKS)
    if first == "{":
        yield text.item()
        while text.after(_BLANKS):
            if not several:
                raise text.wrong("there is more after the first object; are these JSON Lines (read.format)?")
            yield text.item()
        return
    if first != "[":
        raise text.wrong(f"it begins with {first!r}" if first else "it is empty")
    text.place += 1
    while (sign := text.after(_BLANKS + ",")) != "]":
        if not sign:
            raise text.wrong("it is broken off")
        yield text.item()
    text.place += 1
    if text.after(_BLANKS):
        raise text.wrong("there is more after the array; are these JSON Lines?")


class _Text:
    """What is read of a file and not yet used begins at `place` of `data`."""

    def __init__(self, blocks: Iterator[bytes], name: str) -> None:
        self.place = 0
        self._line, self._counted = 1, 0  # the line at that place of the data
        self._data = ""
        self._name = name
        self._blocks = blocks
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._json = json.JSONDecoder()

    def wrong(self, what: str) -> SourceError:
        return SourceError(f"{self._name}, line {self._at()}: this is no JSON array: {what}")

    def _at(self) -> int:
        """The line of `place`."""
        self._line += self._data.count("\n", self._counted, self.place)
        self._counted = self.place
        return self._line

    def after(self, signs: str) -> str:
        """Go on to the next sign that is none of these; the sign, or nothing at the end."""
        while True:
            while self.place < len(self._data):
                if self._data[self.place] not in signs:
                    return self._data[self.place]
                self.place += 1
            if not self._more():
                return ""

    def item(self) -> tuple[int, Any]:
        while True:
            try:
                found, end = self._json.raw_decode(self._data, self.place)
            except RecursionError:
                raise self.wrong("an item is nested too deeply") from None
            except ValueError as error:
                if not self._double():
                    raise self.wrong(str(error)) from None
                continue
            if end < len(self._data) or not self._more():  # a number may go on
                line = self._at()
                self.place = end
                return line, found

    def _more(self) -> bool:
        block = next(self._blocks, None)
        try:
            text = self._decode(block or b"", block is None)
        except UnicodeDecodeError:
            raise self.wrong("it is not UTF-8") from None
        if block is None and not text:
            return False
        self._at()
        self._data, self.place, self._counted = self._data[self.place :] + text, 0, 0
        return True

    def _double(self) -> bool:
        """Read as much again as there is, so that a long item costs no square of its length."""
        before = len(self._data) - self.place
        while len(self._data) - self.place < 2 * before:
            if len(self._data) > MAX_ITEM or not self._more():
                break
        return len(self._data) - self.place > before
