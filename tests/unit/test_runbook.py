"""The pages of the runbook: each is in its table of contents, and is followed by a trial or says that it was not."""

from __future__ import annotations

import re

import pytest

from tests.faults.runbook import FAULTS, PAGES, blocks

NAMES = sorted(page.stem for page in PAGES.glob("*.md") if page.stem != "README")
FOLLOWED = {fault.name.removeprefix("runbook-") for fault in FAULTS}


def test_the_table_of_contents_names_every_page() -> None:
    listed = re.findall(r"^\| \[([\w-]+)\]\(\1\.md\)", (PAGES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_was_seen_or_that_nobody_has_followed_it(name: str) -> None:
    seen = (PAGES / f"{name}.md").read_text("utf-8").partition("\n## What was seen\n")[2]
    transcript = re.search(r"^```text\n\$ ", seen, re.MULTILINE)
    assert bool(transcript) != ("was not followed" in seen)
    assert not transcript or name in FOLLOWED


@pytest.mark.parametrize("name", sorted(FOLLOWED))
def test_what_is_typed_ends_in_a_verdict(name: str) -> None:
    assert any("rihla verify" in block for block in blocks(name))
