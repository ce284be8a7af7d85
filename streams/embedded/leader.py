"""Take over from a leader for whom the embedded broker's group waits although it is gone.

When several members leave at once, or one was frozen past its session and comes back, Tansu 0.6 may keep somebody who
has left as the group's leader: every other member is told to wait for the leader's assignment, for ever. A member that
has been told so for several sessions, always of the same leader, joins under that leader's name, and leads.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from aiokafka.errors import RebalanceInProgressError
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

SESSIONS = 3.0  # a leader who lives and heartbeats has sent its assignment long before so many session timeouts

log = logging.getLogger(__name__)


def replace_dead_leaders(coordinator: Any, session_timeout: float) -> None:
    """Watch what an aiokafka group coordinator is answered, and step in. session_timeout: seconds."""
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
