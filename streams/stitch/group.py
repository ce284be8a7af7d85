"""What the state of a group's subject holds: who its members were when, and what happened to all of them."""

from __future__ import annotations

from mypy_extensions import mypyc_attr

from streams.stitch.content import Content
from streams.stitch.group_event import GroupEvent

MemberFields = tuple[int, bytes, bool]
"""(version, times of membership, sent). The version of what the member told last; GONE for the times of who is none;
whether a summary was sent to it that was not taken back."""
GroupFields = tuple[dict[str, MemberFields], list[GroupEvent]]
"""The fields of a Group as states store them."""


@mypyc_attr(acyclic=True)
class Group(Content):
    """Members and events of a group."""

    def __init__(self, members: dict[str, MemberFields] | None = None, events: list[GroupEvent] | None = None) -> None:
        """members: by the subject of the customer's root. A version stays when its member has left, to refuse an older
        one."""
        self.members: dict[str, MemberFields] = {} if members is None else members
        self.events: list[GroupEvent] = [] if events is None else events

    def fields(self) -> GroupFields:
        return self.members, self.events
