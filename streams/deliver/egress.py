"""Where deliver may connect to: the hosts that the routes name, at public addresses; others only where they are named.

A name is resolved once for each connection, all its addresses are checked, and the connection is made to one that is
allowed (`Resolver`), so the check and the connection cannot see different addresses. A client does not resolve what it
takes for an address (it turns `１２７.0.0.1` into 127.0.0.1 by itself), so the address of every socket is checked as
well (`Sockets`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from aiohttp import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRANSLATED = [
    ipaddress.IPv6Network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "::/96",  # IPv4-compatible (RFC 4291, 2.5.5.1), deprecated
    )
]
_LOCAL = [
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # NAT64 of a network's own (RFC 8215), at any of its prefixes
    ipaddress.IPv6Network("fec0::/10"),  # site-local, deprecated
]


class EgressError(OSError):
    """An address that may not be connected to; the message says which and why."""


def network(text: str) -> Network:
    """The network in a text: an address, with or without a prefix length. Raises ValueError."""
    return ipaddress.ip_network(text)


def refusal(text: str, named: Iterable[Network] = ()) -> str | None:
    """Why an address (text as of getaddrinfo) may not be connected to; None: it may.

    named: networks that the routes allow although they are not public.
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return f"{text} is no address"
    meant = _meant(address)
    if any(meant in one for one in named if one.version == meant.version):
        return None
    if meant.is_loopback:
        return f"{text} is this machine"
    if meant.is_link_local:
        return f"{text} is link-local"
    if meant.is_multicast or meant.is_unspecified:
        return f"{text} is nobody's address"
    if not meant.is_global or any(meant in one for one in _LOCAL if one.version == meant.version):
        return f"{text} is a private or reserved address"
    return None


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in one for one in _TRANSLATED) and int(address) > 1:  # :: and ::1 mean themselves
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return address.teredo[1]
        return address.ipv4_mapped or address.sixtofour or address
    return address


def judged(host: str, addresses: Iterable[str], named: Iterable[Network]) -> list[str]:
    """The addresses of a host that may be connected to. Raises EgressError if there are none."""
    every = list(dict.fromkeys(addresses))
    verdicts = {address: refusal(address, named) for address in every}
    allowed = [address for address, why in verdicts.items() if why is None]
    if not allowed:
        why = next(iter(verdicts.values()), "it has no address")
        raise EgressError(f"{host} may not be connected to: {why}; [egress] private names those that may")
    return allowed


class Resolver(AbstractResolver):
    """Resolves names for aiohttp, and leaves out addresses that may not be connected to."""

    def __init__(self, named: Iterable[Network]) -> None:
        self._named = tuple(named)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """As aiohttp asks. Raises EgressError, OSError."""
        found = await addresses_of(host, port)
        allowed = set(judged(host, [address for _, address in found], self._named))
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in found
            if address in allowed
        ]

    async def close(self) -> None:
        """Nothing to close."""


class Sockets:
    """Makes aiohttp's sockets, but none to an address that may not be connected to, in any spelling."""

    def __init__(self, named: Iterable[Network]) -> None:
        self._named = tuple(named)

    def __call__(self, address: AddrInfoType) -> socket.socket:
        """address: as of getaddrinfo. Raises EgressError, OSError."""
        family, kind, protocol, _, place = address
        judged(str(place[0]), [str(place[0])], self._named)
        return socket.socket(family, kind, protocol)


async def addresses_of(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """(family, address) of a host, by the system's resolver. Raises OSError."""
    loop = asyncio.get_running_loop()
    found: list[Any] = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(socket.AddressFamily(one[0]), str(one[4][0])) for one in found]
