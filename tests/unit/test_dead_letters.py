"""Dead letters that are cut to fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.encode import BatchEncoder
from schemas.registry import LocalRegistry
from streams.model.dead_letter import CUT, DeadLetter, cut_to, is_cut, letters_frame

ENCODER = BatchEncoder("dead_letter", LocalRegistry())


def size(letter: DeadLetter) -> int:
    """Bytes of its Kafka record's key and value."""
    (value,) = ENCODER.encode(letters_frame([letter], 1_700_000_000_000))
    return len(letter.key or b"") + len(value)


@given(
    key=st.none() | st.integers(0, 3000).map(lambda size: b"k" * size),
    payload=st.integers(0, 3000).map(lambda size: b"\xff" * size),
    detail=st.integers(0, 6000).map(lambda size: "ü" * (size // 2)),
    attempts=st.integers(1, 3),
    room=st.integers(2800, 9000),
)
def test_a_letter_fits_and_says_what_was_cut(
    key: bytes | None, payload: bytes, detail: str, attempts: int, room: int
) -> None:
    letter = DeadLetter("cx.stay", 3, 2**62, key, payload, "undecodable", detail, attempts)
    cut = cut_to(letter, room)
    assert size(cut) <= room
    assert cut[:3] == letter[:3]
    if not is_cut(cut.detail):
        assert cut == letter
        return
    found = CUT.search(cut.detail)
    assert found is not None
    assert [int(number) for number in found.groups()] == [
        len(cut.payload),
        len(payload),
        len(cut.key or b""),
        len(key or b""),
    ]
    assert (key is None) == (cut.key is None)
    assert payload.startswith(cut.payload)
    assert (key or b"").startswith(cut.key or b"")
    assert letter == letter._replace(detail=letter.detail)
    assert size(letter) > room - 400, "what fits is not cut"
