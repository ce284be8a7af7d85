"""All checks, in the order in which to mend what they find."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from streams.doctor import broker, clickhouse, configuration, installation, registry
from streams.doctor.finding import Finding
from streams.settings import Settings, SettingsError


async def checks(
    settings: Settings,
    given: frozenset[str],
    environment: Mapping[str, str] = os.environ,
    folder: Path | None = None,
) -> list[Finding]:
    """All findings.

    given: names of the settings that somebody has set; where "brokers" or "clickhouse" is not among them, that nothing
    answers there is a note. folder: the data folder of an embedded pipeline, if one is meant.
    """
    found = [*installation.findings(), *configuration.findings(settings, environment)]
    if folder is not None:
        found += installation.folder(folder)
    found += _unless(given, "brokers", await broker.findings(settings))
    if settings.registry is not None:
        found += await asyncio.to_thread(registry.findings, settings)
    return found + _unless(given, "clickhouse", await asyncio.to_thread(lambda: list(clickhouse.findings(settings))))


def unusable(error: SettingsError, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """The findings where there are no settings to look with."""
    about = Finding(
        "problem", "settings", str(error), error.hint or "a flag, or a RIHLA_ variable: rihla worker --help"
    )
    return [*installation.findings(), about, *configuration.variables(environment)]


def _unless(given: frozenset[str], name: str, found: Iterable[Finding]) -> list[Finding]:
    """Findings about a service; notes where nobody has said where it is."""
    return [*found] if name in given else [_as_note(finding, f"RIHLA_{name.upper()} or --{name}") for finding in found]


def _as_note(finding: Finding, setting: str) -> Finding:
    if finding.verdict != "problem":
        return finding
    return replace(finding, verdict="note", remedy=f"not set: {setting}. The embedded pipeline needs none (rihla run)")
