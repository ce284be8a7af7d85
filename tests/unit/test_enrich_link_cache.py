"""Links are sent once, and again when they turn out earlier or have been forgotten."""

from __future__ import annotations

from streams.enrich.link_cache import SentLinks

Link = tuple[str, str, int]


def new(sent: SentLinks, *links: Link) -> list[Link]:
    fresh = sent.new({(subject.encode(), identifier.encode()): at for subject, identifier, at in links})
    return [(subject.decode(), identifier.decode(), at) for (subject, identifier), at in fresh]


def test_a_link_is_sent_once_and_again_when_it_is_earlier() -> None:
    sent = SentLinks(100)
    one, other = ("customer:1", "device:1", 50), ("customer:1", "device:2", 50)
    assert new(sent, one, other) == [one, other]
    assert new(sent, one, ("customer:1", "device:1", 60)) == []
    assert new(sent, ("customer:1", "device:1", 40), other) == [("customer:1", "device:1", 40)]
    assert new(sent, one, ("customer:1", "device:1", 41)) == []


def test_what_two_identifiers_are_is_not_mixed_up() -> None:
    sent = SentLinks(100)
    one, other, third = ("a:b", "c:d\0e:f", 1), ("a:b\0c:d", "e:f", 1), ("a:", "bc:d\0e:f", 1)
    assert new(sent, one, other, third) == [one, other, third]
    assert new(sent, one, third) == []


def test_the_last_half_is_remembered_and_no_more_than_all() -> None:
    sent = SentLinks(100)
    links = [("customer:1", f"device:{number}", 1) for number in range(151)]
    assert new(sent, *links) == links
    assert new(sent, *links[100:]) == []
    assert new(sent, *links[:50]) == links[:50]
