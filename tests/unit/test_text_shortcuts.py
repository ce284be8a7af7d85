"""What reads a text fast says the same as the plain rule."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.text import features, language, normalise

_CLUES = {
    "tr": r"[ığş]|(?:l[ae]r|yor(?:um|lar)?|m[ae]k|d[ıiuü]m|s[ıi]n[ıi]z|ç[ıiuü]k)$",
    "id": r"^(?:meng|meny|memp|memb|ber[^aeiou]|di[bkpst]|ter[bdkps])|(?:nya|kan|annya)$",
    "en": r"(?:ing|tion|ght|ough|n't|ness|ould|ed|ly|'s|'re|'ve|'ll)$|^(?:th|wh|sh)",
    "ur": r"(?:ein|aan|iya|iyan|unga|engi|enge|raha|rahi|rahe|ain)$",
}


@settings(max_examples=300)
@given(
    st.one_of(*(st.from_regex(f"(?:{clue})\\Z") for clue in _CLUES.values()), st.text("berdiktshnga'ıü", max_size=9))
)
def test_clues_of_a_language(word: str) -> None:
    word += "" if len(word) > 3 else "berm"
    if "\n" not in word:
        assert language._clues(word) == [name for name, clue in _CLUES.items() if re.search(clue, word)]


_IN_ORDER = re.compile(
    rf"(?P<skip>https?://\S+|www\.\S+|&\w+;|\[\w+\])|(?P<mention>@\w+)|(?P<emoticon>{normalise._EMOTICON})"
    r"|(?P<word>[^\W\d_]+(?:['’`][^\W\d_]+)*)|(?P<number>\d[\d.,:]*)"
    rf"|(?P<emoji>[{normalise._EMOJI}])|(?P<end>[.!?؟۔…\n]+)|(?P<pause>[,;:،؛()\-–—/\"]+)"
)
_BITS = (
    "http:// https://x www. www.a d: D: d-: d:a D=) xD XD xDa T_T T__T T_ TT a Dé x h w 8) :) ' ’ ` _ 1 2.5 @a &amp; "
    "[x] [ ] <3 -_- ^_^ ( ) ؟ ❶ ² 🌟 ⭐ و ; = - :'("
)


@settings(max_examples=500)
@given(st.lists(st.sampled_from([*_BITS.split(), " ", "\n", "\t", "\u00a0"]), max_size=9).map("".join))
def test_tokens_are_those_of_the_kinds_in_their_order(text: str) -> None:
    found = [(match.lastgroup, match[0], match.start()) for match in _IN_ORDER.finditer(text)]
    assert normalise.tokens(text) == found


@pytest.mark.parametrize("word", ["", "ab", "abc", "abcd", "abcde", "room", "x" * 40, "سبسب"])
def test_what_a_word_is_spelt_of(word: str) -> None:
    framed = f"<{word[:24]}>"
    lengths = range(2, min(5, len(framed) - 1) + 1) if len(word) > 2 else []
    wanted = [framed[at : at + length] for length in lengths for at in range(len(framed) - length + 1)]
    assert features.spelt(word) == wanted
    assert features.grams(word) == ["~" + gram for gram in wanted]
