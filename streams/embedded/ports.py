"""Ports of this machine: the usual one where it is free, else another."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"
USUAL_PORT = 9092
"""Kafka's own port, which clients try first."""
PORTS = range(20_000, 32_768)
"""Where free ports are taken from: below those that Linux gives to connections that go out
(net.ipv4.ip_local_port_range, 32768 to 60999). Any of these may take a port between the look at it and its use.
"""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on; all different. Raises OSError where fewer than `count` are free."""
    found: list[int] = []
    # Not the seeded generator: processes with the same seed would try the same ports at the same time.
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(found) == count:
            break
        if usual_or_free(port) is not None:
            found.append(port)
    if len(found) < count:
        raise OSError(f"fewer than {count} ports of {PORTS.start} to {PORTS.stop - 1} are free on {HOST}")
    return found


def port_of_service(wanted: int | None, usual: int) -> int:
    """The port of a service: the one wanted; the usual one if it is free; else any free one."""
    return (usual_or_free(usual) if wanted is None else wanted) or free_ports(1)[0]


def usual_or_free(port: int) -> int | None:
    """The port if nobody listens on it, else None, which takes any free one."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return None
    return port
