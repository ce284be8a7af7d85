"""A page as PDF, by the print of a Chromium that is installed: it shapes Arabic and knows both directions."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from streams.errors import RihlaError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LONGEST = 120.0
"""Seconds that printing may take."""


class PrintError(RihlaError):
    """No PDF came of it; the message says why."""


def printed(page: str) -> bytes:
    """The PDF of an HTML page that asks for nothing. Raises PrintError."""
    browser = next((path for name in NAMES if (path := shutil.which(name)) is not None), None)
    if browser is None:
        raise PrintError(
            "there is no Chromium to print with",
            "install it (Debian: apt install chromium), or write --out report.html and print that",
        )
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "report.html"), Path(folder, "report.pdf")
        source.write_text(page, "utf-8")
        command = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={folder}/profile"),
            *(f"--print-to-pdf={target}", source.as_uri()),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=LONGEST, check=False)
        except subprocess.TimeoutExpired:
            raise PrintError(f"{browser} did not print within {LONGEST:.0f} s") from None
        if not target.exists():
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
            raise PrintError(f"{browser} printed nothing: {said[-1] if said else ended.returncode}")
        return target.read_bytes()
