"""Amounts as people write them."""

from __future__ import annotations

import pytest

from streams.model.currencies import as_text


@pytest.mark.parametrize(
    ("currency", "minor", "said"),
    [("SAR", 123450, "1234.50 SAR"), ("JPY", 500, "500 JPY"), ("KWD", 1250, "1.250 KWD"), ("EUR", -5, "-0.05 EUR"),
     ("XXQ", 7, "0.07 XXQ"), ("SAR", 10**20, "1000000000000000000.00 SAR")],
)  # fmt: skip
def test_all_decimal_places_are_there(currency: str, minor: int, said: str) -> None:
    assert as_text(currency, minor) == said
