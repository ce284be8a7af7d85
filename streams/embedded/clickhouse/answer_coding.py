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
    def plain(self) -> bool:
        """Whether the bytes are the format's own, so that the text of an error may follow them."""
        return not (self.blocks or self.encoding or self.version)

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Encoding": self.encoding, "Vary": "Accept-Encoding"} if self.encoding else {}

    def of(self, fmt: str, pieces: Pieces) -> Pieces:
        """The pieces of an answer in a format, coded; the last one may have no rows. Raises EngineError."""
        encode, finish = _encoder(self.encoding)
        for data, rows in pieces:
            shaped = versioned(data, self.version) if fmt == "Native" else data
            coded = encode(compress(shaped, self.blocks) if self.blocks else shaped)
            if coded or rows:
                yield coded, rows
        if rest := finish():
            yield rest, 0

    def whole(self, fmt: str, data: bytes) -> bytes:
        """An answer that was made at once. Raises EngineError."""
        return b"".join(piece for piece, _ in self.of(fmt, iter_once(data)))


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
