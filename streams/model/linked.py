"""Links without an event: what says who somebody is, and nothing that happened."""

from __future__ import annotations

from typing import Final

LINKED: Final = "identity.linked"
"""Touchpoint of a link: a CRM's merge, Segment's identify. It is stored for its links, and is in no journey, customer
or count."""
