"""Changes of aiokafka's group coordinator for the embedded broker.

**Taking over from a leader who is gone.** When several members leave at once, or one was frozen past its session and
comes back, Tansu 0.6 may keep somebody who has left as the group's leader: every other member is told to wait for the
leader's assignment, for ever. A member that has been told so for several sessions, always of the same leader, joins
under that leader's name, and leads.

**Joining alone without waiting.** Tansu holds back every answer to a join for half of the group's session time-out, for
others to join meanwhile: 5 s of our 10. The group's time-out is that of its first member's first request; so a worker
that is the only one of its group asks for a short one. That does no harm on a loaded machine: Tansu looks for silent
members when a member asks for something, and never takes the asking one for silent.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from aiokafka.errors import RebalanceInProgressError
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

SOLE_SESSION_MS = 2000
"""Half of it is what joining takes. Not less: should somebody start a second worker by hand, both still get on."""
SESSIONS = 3.0  # a leader who lives and heartbeats has sent its assignment long before this many session timeouts

log = logging.getLogger(__name__)


def replace_dead_leaders(coordinator: Any, session_timeout: float) -> None:
    """Watch the answers that an aiokafka group coordinator gets, and take over from a dead leader. session_timeout:
    seconds."""
    send = coordinator._send_req
    leader, waiting_for, since = "", "", 0.0

    async def send_and_watch(request: Any) -> Any:
        nonlocal leader, waiting_for, since
        response = await send(request)
        if isinstance(request, JoinGroupRequest):
            leader = response.leader_id
        elif isinstance(request, SyncGroupRequest):
            if response.error_code != RebalanceInProgressError.errno or leader == coordinator.member_id:
                waiting_for = ""
            elif leader != waiting_for:
                waiting_for, since = leader, time.monotonic()
            elif time.monotonic() - since > SESSIONS * session_timeout:
                log.warning("group %s waits for a leader who is gone: taking over", coordinator.group_id)
                await send(LeaveGroupRequest(coordinator.group_id, coordinator.member_id))
                coordinator.member_id, waiting_for = leader, ""
        return response

    coordinator._send_req = send_and_watch


def join_at_once(coordinator: Any) -> None:
    """Make an aiokafka group coordinator ask for a short session when it joins. Its own session timeout, by which it
    judges whether the broker has forgotten it, stays as it is."""
    send = coordinator._send_req

    async def send_with_short_session(request: Any) -> Any:
        if isinstance(request, JoinGroupRequest):
            request._session_timeout = min(request._session_timeout, SOLE_SESSION_MS)
        return await send(request)

    coordinator._send_req = send_with_short_session
