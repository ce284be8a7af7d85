"""What the page sends when somebody answers an alert or a case, or says that a text was read wrongly."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec

from streams.loop.answers import Verb
from streams.loop.corrections import Verdict
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


class Wrong(msgspec.Struct, forbid_unknown_fields=True):
    """That the text of an event was read wrongly. verdict: what it says. click: as of Said."""

    customer_id: str
    event_id: str
    verdict: Verdict
    click: Annotated[str, msgspec.Meta(max_length=64)] = ""


T = TypeVar("T", Said, Wrong)


def said_in(body: bytes, type_: type[T]) -> T:
    """What a body says. Raises Problem."""
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Problem(422, f"this is no answer: {error}") from None
