"""`make audit`: what databases of advisories say of every package that is locked.

pip-audit does the asking. By itself it calls a package "skipped" that its database does not know, and ends with "no
known vulnerabilities" and status 0 where it could not ask about a single one, as behind a mirror of a package index.
Here that is what it is: nothing was audited.

    python -m tests.supply_chain.audit --tool PATH/pip-audit LOCK...

Exit status: 0 every package was looked up and none has an advisory; 1 some have; 2 some, or all, were not looked up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CLEAN, FOUND, NOT_AUDITED = 0, 1, 2
SERVICES = ("pypi", "osv")
"""Asked in this order, the next where the one before answered nothing: PyPI's own advisories, then osv.dev."""
SHOWN = 5

Ask = Callable[[str], dict[str, Any] | None]


@dataclass(frozen=True)
class Findings:
    """Of one lock file: packages looked up, those that could not be, and advisories as (package, id, fixed in)."""

    audited: int
    unknown: tuple[str, ...]
    advisories: tuple[tuple[str, str, str], ...]

    @property
    def status(self) -> int:
        """The exit status that says this."""
        if self.advisories:
            return FOUND
        return NOT_AUDITED if self.unknown or not self.audited else CLEAN


def read(report: dict[str, Any] | None) -> Findings:
    """What a report of pip-audit (its JSON) says; None, where it made none, says that nobody answered."""
    packages = (report or {}).get("dependencies", [])
    return Findings(
        audited=sum("skip_reason" not in package for package in packages),
        unknown=tuple(package["name"] for package in packages if "skip_reason" in package),
        advisories=tuple(
            (
                f"{package['name']} {package['version']}",
                advisory["id"],
                ", ".join(advisory["fix_versions"]) or "nothing",
            )
            for package in packages
            for advisory in package.get("vulns", ())
        ),
    )


def audit(ask: Ask) -> Findings:
    """The findings of the first service that could look anything up; of the last one where none could."""
    findings = read(None)
    for service in SERVICES:
        findings = read(ask(service))
        if findings.audited:
            break
    return findings


def sentences(lock: str, findings: Findings) -> list[str]:
    """What to tell of a lock file."""
    told = [f"{lock}: {name} has {advisory}, fixed in {fixed}" for name, advisory, fixed in findings.advisories]
    if not findings.audited:
        told.append(
            f"{lock}: NOT AUDITED: no database of advisories could be reached ({', '.join(SERVICES)}); nothing is known"
        )
    elif findings.unknown:
        shown = ", ".join(findings.unknown[:SHOWN]) + (" ..." if len(findings.unknown) > SHOWN else "")
        told.append(f"{lock}: {len(findings.unknown)} packages are in no database of advisories: {shown}")
    if findings.audited:
        told.append(f"{lock}: {findings.audited} packages looked up, {len(findings.advisories)} advisories")
    return told


def asking(tool: str, lock: str) -> Ask:
    """How to ask with pip-audit, whose own words, of connections that fail, are kept out: they are tracebacks."""

    def ask(service: str) -> dict[str, Any] | None:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            command = [tool, "--vulnerability-service", service, "--requirement", lock, "--no-deps", "--disable-pip"]
            command += ["--format", "json", "--output", str(report), "--progress-spinner", "off"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if report.exists():
                made: dict[str, Any] = json.loads(report.read_text("utf-8"))
                return made
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"{lock}: {service}: {last[0][:200]}", file=sys.stderr)
        return None

    return ask


def main(arguments: list[str]) -> int:
    """Audit lock files; the exit status, as above."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain.audit")
    parser.add_argument("--tool", required=True, help="the program pip-audit")
    parser.add_argument("locks", nargs="+")
    given = parser.parse_args(arguments)
    statuses = []
    for lock in given.locks:
        findings = audit(asking(given.tool, lock))
        print("\n".join(sentences(lock, findings)))
        statuses.append(findings.status)
    return FOUND if FOUND in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
