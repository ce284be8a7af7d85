"""Links without an event: a statement of who somebody is, with nothing that happened."""

from __future__ import annotations

from typing import Final

LINKED: Final = "identity.linked"
"""Touchpoint of a link: a CRM's merge, Segment's identify. It is stored for its links, and is in no journey, customer
or count."""
