"""The RIHLA_ variables that exist, so that a misspelt one, which would have no effect, can be reported."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields

from streams.settings import ENVIRONMENT_PREFIX, Settings

FURTHER = frozenset(
    f"{ENVIRONMENT_PREFIX}{name}"
    for name in (
        "ADAPTER", "BROKER_PORT", "CLUSTER", "COMPILE", "DATA", "DEBUG", "EMBEDDED_BROKER", "ERASED", "ERASURE_KEY",
        "HTTP_PORT", "KAFKA_LIB", "MANAGERS", "MAPPING", "METRICS_HOST", "PLAIN", "REQUIRE_CHROMIUM", "REQUIRE_KAFKA",
        "REPLACES_FORMAT", "REQUIRE_PROMTOOL", "SHARDED", "TAG", "TIMEZONE", "WORKERS",
    )
)  # fmt: skip
"""Those that are no field of Settings: options of single commands, of the embedded pipeline, deployment, tests."""
FOREIGN = tuple(f"{ENVIRONMENT_PREFIX}{name}" for name in ("TEST_", "FAILPOINT", "BROKEN", "CLOCK", "FUZZ_"))
"""What the names of the test suite's own begin with."""
_LINKS = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$")
"""What Kubernetes and Docker call the addresses of services, one of which may be called rihla-something."""
FILE = "_FILE"
"""A variable of this ending names a file that holds the value."""


def known() -> frozenset[str]:
    """Every variable that something reads."""
    return FURTHER | {ENVIRONMENT_PREFIX + field.name.upper() for field in fields(Settings)}


def misspelt(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Variables that nothing reads, each with the nearest one that exists, if any is near."""
    names = known()
    odd = sorted(
        name
        for name in environment
        if name.startswith(ENVIRONMENT_PREFIX)
        and name not in names
        and name.removesuffix(FILE) not in names
        and not name.startswith(FOREIGN)
        and not _is_link(name, environment[name])
    )
    return {name: next(iter(difflib.get_close_matches(name, names, 1, 0.75)), None) for name in odd}


def _is_link(name: str, value: str) -> bool:
    return bool(_LINKS.search(name)) and (not name.endswith("_PORT") or "://" in value or "_SERVICE_" in name)


def sentence(name: str, nearest: str | None) -> str:
    """What to say of a variable that nothing reads."""
    return f"{name} is no setting of Rihla and counts for nothing" + (f"; is {nearest} meant?" if nearest else "")
