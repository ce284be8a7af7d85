"""What the page sends when somebody answers an alert or a case."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from streams.loop.answers import Verb
from streams.serve.asked import Problem


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """An answer as the page sends it. until: epoch ms. click: distinguishes two otherwise equal answers."""

    kind: Literal["alert", "case"]
    customer_id: str
    id: str
    verb: Verb
    click: Annotated[str, msgspec.Meta(max_length=64)] = ""
    note: Annotated[str, msgspec.Meta(max_length=4000)] | None = None
    to: str | None = None
    until: int | None = None


def said_in(body: bytes) -> Said:
    """The answer in a body. Raises Problem."""
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Problem(422, f"this is no answer: {error}") from None
