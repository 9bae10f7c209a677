"""Whom the console believes about who somebody is: a provider, a proxy, and what their groups give."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from consentivr.core.roles import Role


@dataclass(frozen=True)
class Group:
    """What it gives those whom a provider, or a proxy, says to be in it."""

    roles: frozenset[Role]
    queues: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Provider:
    """Who proves by OpenID Connect who somebody is. ``name``, ``groups``, ``agent``: the claims that say it."""

    issuer: str
    client_id: str
    client_secret: str
    scopes: Sequence[str] = ("openid", "profile")
    name: str = "preferred_username"
    groups: str = "groups"
    agent: str | None = None


@dataclass(frozen=True)
class Proxy:
    """``peers``: who alone may connect; empty where it is a Unix socket, or everybody. ``user``, ``groups``, ``agent``:
    the headers by which it says who somebody is; without ``user`` it says that of nobody.
    """

    peers: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()
    user: str | None = None
    groups: str | None = None
    agent: str | None = None

    def is_one(self, address: str) -> bool:
        """Whether that is the proxy; '' is somebody on the Unix socket."""
        if not address:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in net for net in self.peers)
