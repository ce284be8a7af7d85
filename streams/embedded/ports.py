"""Ports of this machine: the usual one where it is free, else another."""

from __future__ import annotations

import socket

from streams.embedded.broker import HOST, free_ports

USUAL_PORT = 9092
"""Kafka's own port, which clients try first."""


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
