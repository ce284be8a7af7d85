"""The units of the simulated world, as a master of units: hotels of two brands in seven time zones, a camp, airports.
`rihla simulate --units FILE` writes them as `rihla units load` takes them."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from streams.sources.simulate.world import AIRPORTS


@dataclass(frozen=True, slots=True)
class Unit:
    """A line of the file; what is empty is the brand's."""

    unit: str
    name: str = ""
    kind: str = ""
    parent: str = ""
    brand: str = ""
    region: str = ""
    timezone: str = ""
    currency: str = ""
    latitude: str = ""
    longitude: str = ""
    prayer_method: str = ""


NOOR, SAFA = "noor", "safa"
_BRANDS = (
    Unit(NOOR, "Noor Pilgrim Hotels", "brand", region="gulf", timezone="Asia/Riyadh", prayer_method="umm_al_qura"),
    Unit(SAFA, "Safa Resorts", "brand", timezone="Europe/Istanbul", prayer_method="muslim_world_league"),
)
_HOTELS = (
    Unit("Makkah Ajyad Hotel", kind="property", brand=NOOR, currency="SAR", latitude="21.4187", longitude="39.8283"),
    Unit(
        "Makkah Jabal Omar Suites", kind="property", brand=NOOR, currency="SAR", latitude="21.4205", longitude="39.82"
    ),
    Unit("Mina Camp 14", kind="tent", brand=NOOR, currency="SAR", latitude="21.4133", longitude="39.8933"),
    Unit("Madinah Quba Hotel", kind="property", brand=NOOR, currency="SAR", latitude="24.4393", longitude="39.6173"),
    Unit("Dubai Creek Hotel", kind="property", brand=NOOR, timezone="Asia/Dubai", latitude="25.26", longitude="55.32"),
    Unit("Antalya Selimiye Resort", kind="property", brand=SAFA, region="med", latitude="36.85", longitude="30.8"),
    Unit("Istanbul Bosphorus Hotel", kind="property", brand=SAFA, region="med", latitude="41.05", longitude="29.03"),
    Unit("Agadir Oasis Hotel", "", "property", "", SAFA, "maghreb", "Africa/Casablanca", "", "30.42", "-9.6"),
    Unit("London Regent Hotel", "", "property", "", SAFA, "europe", "Europe/London", "", "51.53", "-0.15"),
    Unit("Langkawi Bay Resort", "", "property", "", SAFA, "asia", "Asia/Kuala_Lumpur", "", "6.35", "99.8", "singapore"),
    Unit("Kuala Lumpur Ampang Hotel", "", "property", "", SAFA, "asia", "Asia/Kuala_Lumpur", "", "3.16", "101.75"),
    Unit("Lombok Halal Villas", "", "property", "", SAFA, "asia", "Asia/Makassar", "", "-8.65", "116.32", "singapore"),
)
_ZONES = dict(
    zip(
        AIRPORTS,
        ("Asia/Kuala_Lumpur", "Asia/Jakarta", "Europe/Istanbul", "Asia/Karachi", "Europe/London", "Africa/Cairo",
         "Asia/Dubai", "Africa/Casablanca"),
        strict=True,
    )
)  # fmt: skip
UNITS = (*_BRANDS, *_HOTELS, *(Unit(code, kind="airport", timezone=zone) for code, zone in _ZONES.items()))
"""Flights are not in it: units that nobody has described work, too."""


def write_units(path: Path) -> int:
    """Write the master of units as CSV; how many there are."""
    names = [field.name for field in fields(Unit)]
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(names)
        lines.writerows([getattr(unit, name) for name in names] for unit in UNITS)
    return len(UNITS)
