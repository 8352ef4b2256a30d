"""The private engine's own network bridge (Linux).

Two engines on one bridge take it from each other, and one with none at all deletes docker0: so ours has one
of its own, made and removed by us alone.
"""

import ipaddress
import json
from collections.abc import Iterable
from itertools import chain

from ...errors import EngineError
from .. import process
from .packages import which

# Private ranges that docker's own default pools (172.17.0.0/12, 192.168.0.0/16) and most home networks leave alone.
_CANDIDATES = tuple(
    chain(
        ipaddress.IPv4Network("10.213.0.0/16").subnets(new_prefix=24),
        ipaddress.IPv4Network("172.16.0.0/16").subnets(new_prefix=24),
    )
)


def ensure(name: str) -> None:
    """Make the bridge where it is missing, on a network that this machine does not use.

    Raises EngineError when it cannot be made.
    """
    if process.run(_ip(), "link", "show", "dev", name).ok:
        return
    routes = json.loads(process.check(_ip(), "-json", "-4", "route", "show", "table", "all") or "[]")
    network = free_network(str(route.get("dst", "")) for route in routes)
    process.check(_ip(), "link", "add", "name", name, "type", "bridge")
    process.check(_ip(), "address", "add", f"{next(network.hosts())}/{network.prefixlen}", "dev", name)
    process.check(_ip(), "link", "set", "dev", name, "up")


def remove(name: str) -> bool:
    """Remove the bridge; return whether it was there."""
    return which("ip") is not None and process.run(_ip(), "link", "delete", "dev", name, "type", "bridge").ok


def free_network(destinations: Iterable[str]) -> ipaddress.IPv4Network:
    """Return the first network of ours that no route leads into; pure.

    Raises EngineError when every one of them is taken.
    """
    taken = []
    for text in destinations:
        try:
            taken.append(ipaddress.IPv4Network(text, strict=False))
        except ValueError:  # "default", or IPv6
            continue
    taken = [network for network in taken if network.prefixlen > 0]
    for candidate in _CANDIDATES:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise EngineError(
        "no private IPv4 network is free for the engine's bridge", hint="ip route; remove what is not needed"
    )


def _ip() -> str:
    found = which("ip")
    if found is None:
        raise EngineError("ip is not on PATH", hint="apt-get install iproute2")
    return found
