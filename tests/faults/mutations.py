"""Payloads of a corpus, mutated: cut, lengthened, flipped, spliced with one another, and with what readers dislike."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"
MOST_MUTATIONS = 6

EVERYWHERE = (
    b"",
    b"\x00",
    b"\xff",
    b"\xc3\x28",
    b"\xf0\x9f\x95\x8c",
    b"\r\n",
    b"\n\n",
    b"-1",
    b"9" * 40,
    b"\xed\xa0\x80",
)


def corpus(folder: str) -> list[bytes]:
    """The files of a folder of the corpus, in the order of their names."""
    files = sorted((CORPUS / folder).iterdir())
    if not files:
        raise AssertionError(f"there is no corpus in {CORPUS / folder}")
    return [file.read_bytes() for file in files]


def mutate(data: bytes, rng: Random, others: list[bytes], words: tuple[bytes, ...]) -> bytes:
    """One to some mutations. others: to splice with. words: what readers of this kind of payload dislike."""
    made = bytearray(data)
    for _ in range(rng.randint(1, MOST_MUTATIONS)):
        at = rng.randint(0, len(made))
        end = min(len(made), at + rng.choice((1, 1, 2, 4, 8, 30, 300)))
        match rng.randrange(7):
            case 0:
                del made[at:end]
            case 1:
                made[at:at] = made[at:end]
            case 2:
                made[at:end] = rng.choice((*words, *EVERYWHERE))
            case 3:
                made[at:at] = rng.choice((*words, *EVERYWHERE))
            case 4 if at < len(made):
                made[at] ^= 1 << rng.randrange(8)
            case 5:
                other = rng.choice(others)
                made[at:] = other[rng.randint(0, len(other)) :]
            case 6:
                made[at:end] = rng.randbytes(end - at)
    return bytes(made)


def mutated(seeds: list[bytes], words: tuple[bytes, ...] = ()) -> st.SearchStrategy[bytes]:
    """A payload of the corpus as it is, or mutated."""
    return st.builds(
        lambda data, rng, unchanged: data if unchanged else mutate(data, rng, seeds, words),
        st.sampled_from(seeds),
        st.randoms(use_true_random=False),
        st.integers(0, 19).map(lambda n: n == 0),
    )
