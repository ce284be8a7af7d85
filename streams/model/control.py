"""Messages to workers that travel among records, told apart by a number that no record of the kind has."""

from __future__ import annotations

from typing import Final

ERASE: Final = -1
"""In the place of a link's time and of a part's version: the subject is to be erased."""
SEND_AGAIN: Final = -2
"""In the place of a part's version: the root, which has lost its parts, asks the subject to send its summary."""
NOTHING_STORED: Final = -3
"""In the place of a part's version: ClickHouse holds no event of the subject whose events stitch has asked for."""
