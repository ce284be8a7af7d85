"""The world that simulated people travel in: places, carriers, kinds of trips, and what people speak."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

# Where speakers of a language come from: (locale, country, telephone prefix).
HOMES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "en": (("en-GB", "GB", "+44"), ("en-US", "US", "+1"), ("en-ZA", "ZA", "+27")),
    "ar": (("ar-SA", "SA", "+966"), ("ar-EG", "EG", "+20"), ("ar-MA", "MA", "+212"), ("ar-AE", "AE", "+971")),
    "id": (("id-ID", "ID", "+62"),),
    "ms": (("ms-MY", "MY", "+60"), ("ms-BN", "BN", "+673")),
    "tr": (("tr-TR", "TR", "+90"),),
    "ur": (("ur-PK", "PK", "+92"), ("ur-IN", "IN", "+91")),
}

AIRPORTS = ("KUL", "CGK", "IST", "KHI", "LHR", "CAI", "DXB", "CMN")
AIRLINE = "RH"
DELAY_CODES = ("11", "18", "32", "41", "63", "72", "81", "93")
"""IATA delay codes: late check-in, baggage, loading, defects, late crew, weather, air traffic control, rotation."""

# The Day of Arafah, the ninth of Dhu al-Hijja, as it was kept in Makkah; where missing, nobody goes on Hajj.
ARAFAH = (
    date(2015, 9, 23),
    date(2016, 9, 11),
    date(2017, 8, 31),
    date(2018, 8, 20),
    date(2019, 8, 10),
    date(2022, 7, 8),
    date(2023, 6, 27),
    date(2024, 6, 15),
    date(2025, 6, 5),
    date(2026, 5, 26),
)


@dataclass(frozen=True, slots=True)
class TripKind:
    """How a kind of trip goes. Ranges are inclusive (least, most)."""

    name: str
    weight: int
    """How frequent, relative to the others."""
    party: tuple[int, int]
    lead_days: tuple[int, int]
    nights: tuple[int, int]
    packages: tuple[str | None, ...]
    hotels: tuple[str, ...]
    meal_plans: tuple[str, ...]
    night_price: tuple[int, int]
    """Price a person and night, in whole units of the currency."""
    currency: str
    pilgrimage: bool
    aspects: tuple[str, ...]
    """What its travellers write about, as in texts.csv."""


_COMMON = ("cleanliness", "staff", "waiting", "room", "wifi", "price", "halal_food", "prayer")

HAJJ = TripKind(
    name="hajj",
    weight=8,
    party=(1, 4),
    lead_days=(60, 240),
    nights=(14, 30),
    packages=("hajj_standard", "hajj_premium"),
    hotels=("Makkah Ajyad Hotel", "Mina Camp 14", "Madinah Quba Hotel"),
    meal_plans=("FB",),
    night_price=(700, 2500),
    currency="SAR",
    pilgrimage=True,
    aspects=(*_COMMON, "transfer", "guide", "guide", "prayer"),
)
UMRAH = TripKind(
    name="umrah",
    weight=34,
    party=(1, 6),
    lead_days=(14, 120),
    nights=(7, 14),
    packages=("umrah_economy", "umrah_standard", "umrah_premium"),
    hotels=("Makkah Ajyad Hotel", "Makkah Jabal Omar Suites", "Madinah Quba Hotel"),
    meal_plans=("BB", "HB"),
    night_price=(250, 1200),
    currency="SAR",
    pilgrimage=True,
    aspects=(*_COMMON, "transfer", "guide", "baggage", "delay"),
)
FAMILY = TripKind(
    name="family",
    weight=34,
    party=(2, 5),
    lead_days=(20, 180),
    nights=(4, 14),
    packages=("family_halal_resort", None),
    hotels=("Antalya Selimiye Resort", "Langkawi Bay Resort", "Agadir Oasis Hotel", "Lombok Halal Villas"),
    meal_plans=("BB", "HB", "FB", "SC"),
    night_price=(40, 180),
    currency="EUR",
    pilgrimage=False,
    aspects=(*_COMMON, "baggage", "delay", "transfer"),
)
BUSINESS = TripKind(
    name="business",
    weight=24,
    party=(1, 1),
    lead_days=(1, 30),
    nights=(1, 4),
    packages=(None,),
    hotels=("Dubai Creek Hotel", "Kuala Lumpur Ampang Hotel", "Istanbul Bosphorus Hotel", "London Regent Hotel"),
    meal_plans=("SC", "BB"),
    night_price=(90, 320),
    currency="USD",
    pilgrimage=False,
    aspects=(*_COMMON, "delay", "waiting", "wifi"),
)
KINDS = (FAMILY, BUSINESS, UMRAH, HAJJ)
