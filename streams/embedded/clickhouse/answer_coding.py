"""How the bytes of an answer go out: as they are, in ClickHouse's own blocks (compress=1), or by a Content-Encoding.

Content-Encoding is as on a server: only if the request has enable_http_compression=1, and by the first of the codings
below that its Accept-Encoding names.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from streams.embedded.clickhouse.compressed_blocks import METHODS, compress
from streams.embedded.clickhouse.engine_error import refusal
from streams.embedded.clickhouse.native_blocks import versioned
from streams.embedded.clickhouse.result_stream import Pieces, Written

CODINGS = ("br", "lz4", "gzip", "deflate", "zstd")


@dataclass(frozen=True, slots=True)
class Coding:
    """What is done to an answer. version: client_protocol_version, of which only the format Native knows.

    blocks: the method of ClickHouse's blocks, or "". encoding: a Content-Encoding, or "".
    """

    version: int = 0
    blocks: str = ""
    encoding: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Encoding": self.encoding, "Vary": "Accept-Encoding"} if self.encoding else {}

    def whole(self, fmt: str, data: bytes) -> bytes:
        """An answer that was made at once. Raises EngineError."""
        return b"".join(piece for piece, _ in Coded(self, fmt, iter_once(data)))


class Coded:
    """The pieces of an answer in a format, coded: to be iterated over once, and closed. The last may have no rows."""

    def __init__(self, coding: Coding, fmt: str, pieces: Pieces) -> None:
        self._coding, self._fmt, self._pieces = coding, fmt, pieces
        self._encode, self._finish = _encoder(coding.encoding)

    def __iter__(self) -> Pieces:
        """Raises EngineError."""
        for data, rows in self._pieces:
            coded = self._coded(versioned(data, self._coding.version) if self._fmt == "Native" else data)
            if coded or rows:
                yield coded, rows
        if rest := self._finish():
            yield rest, 0

    def last(self, text: bytes) -> bytes:
        """What ends an answer of which a part was sent: the text of the error, coded as that was."""
        return self._coded(text) + self._finish()

    def close(self) -> None:
        """Give up what is left."""
        self._pieces.close()

    def _coded(self, data: bytes) -> bytes:
        return self._encode(compress(data, self._coding.blocks) if self._coding.blocks else data)


def iter_once(data: bytes) -> Pieces:
    """Bytes as pieces."""
    yield data, 0


def coding_of(given: Mapping[str, str], accepted: str) -> Coding:
    """What the parameters of a request and its Accept-Encoding ask for. Raises EngineError for what is not known."""
    version = given.get("client_protocol_version", "0")
    if not version.isdecimal():
        raise refusal(72, "CANNOT_PARSE_NUMBER", "client_protocol_version is a number")
    if given.get("compress", "0") not in ("0", "false"):
        method = given.get("network_compression_method", "LZ4").upper()
        if method not in METHODS:
            raise refusal(48, "NOT_IMPLEMENTED", f"network_compression_method {method} is none of {', '.join(METHODS)}")
        return Coding(int(version), blocks=method)
    if given.get("enable_http_compression", "0") not in ("0", "false"):
        names = [name.partition(";")[0].strip().lower() for name in accepted.split(",")]
        return Coding(int(version), encoding=next((name for name in CODINGS if name in names), ""))
    return Coding(int(version))


def _encoder(name: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """What encodes the next bytes, and what ends them."""
    if not name:
        return bytes, bytes
    if name == "deflate":
        deflate = zlib.compressobj(3)
        return deflate.compress, deflate.flush
    written = Written()
    stream = pa.CompressedOutputStream(pa.PythonFile(written, mode="w"), "brotli" if name == "br" else name)

    def encode(data: bytes) -> bytes:
        stream.write(data)
        return written.take()

    def finish() -> bytes:
        stream.close()
        return written.take()

    return encode, finish
