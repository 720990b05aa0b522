"""Where messages may go: receivers in the plant's own network, but neither loopback nor a cloud's metadata.

This host's address in the plant's network is like any other there: what listens on it faces the plant already.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

LONGEST_ADDRESS = 2000
# Metadata services outside the link-local range: AWS over IPv6, Alibaba Cloud, Azure.
METADATA = frozenset(map(ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))
NAT64 = IPv6Network("64:ff9b::/96")


def fault_of_address(address: str) -> str | None:
    """One sentence, or None where a receiver may have this address."""
    if not address.isascii() or not address.isprintable() or " " in address:
        return "The address must be written in plain ASCII without blanks."
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "The address cannot be read."
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "The address must be like https://host/path."
    if "@" in parts.netloc:
        return "The address must hold no name or password."
    return "The address must hold no fragment." if parts.fragment else None


def shown(address: str) -> str:
    """For people and logs: a query often holds the receiver's token."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + ("?***" if parts.query else "")


def target_of(parts: SplitResult) -> str:
    """What stands in the request's first line."""
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def fault_of_host(host: str, *, loopback: bool) -> str | None:
    """Of an IP address that a name was resolved to; also of one written in an IPv6 form of it."""
    found = _inner(ip_address(host))
    if found in METADATA or found.is_link_local or found.is_multicast:
        return f"{found} is a link-local, metadata or multicast address, where no receiver may be."
    # On Linux the unspecified address leads to this host, too.
    if (found.is_loopback or found.is_unspecified) and not loopback:
        return f"{found} is this host itself, which WEARWATCH_WEBHOOK_LOOPBACK would have to allow."
    return None


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in NAT64:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address
