"""CRC-64-AVRO fingerprints of schemas (Avro specification, "Schema fingerprints"), by fastavro."""

from __future__ import annotations

from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.records import Schema


def crc64(schema: Schema) -> int:
    """The 64-bit Rabin fingerprint of a schema's parsing canonical form, as a number.

    Docs, defaults and logical types do not count: schemas of one fingerprint have one encoding.
    """
    # fastavro gives the eight bytes in wire order (little-endian) as hexadecimal
    return int.from_bytes(bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")), "little")
