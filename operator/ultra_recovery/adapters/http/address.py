"""Which addresses a probe may reach. Users write targets; without this the operator would be their way everywhere.

Pods of the breaker's own namespace are allowed. Everything else is a raw address and needs the administrator's
allow-list. Some addresses are never allowed: the machine's own, link-local ones and the metadata services of clouds
among them, the API server, the operator's own pod. `ipaddress.is_global` is not asked: it holds several of these for
public (NAT64 and 6to4 forms of 169.254.169.254, 168.63.129.16, 192.0.0.192, 224.0.0.1).
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DENIED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "::1/128",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
    )
)
_MAX_JUDGED = 20_000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")


class Policy(Protocol):
    """Decides on addresses. An answer of None allows; a text says why not."""

    def refuse_pod(self, address: str) -> str | None:
        """Whether the address of a pod of the breaker's namespace is refused."""

    def refuse_name(self, host: str, port: int) -> str | None:
        """Whether a host is refused whatever its addresses are: then its name is not even asked for."""

    def refuse_raw(self, host: str, address: str, port: int) -> str | None:
        """Whether a raw address, found for `host`, is refused."""


@dataclass(frozen=True, slots=True)
class AllowRule:
    """One entry of the allow-list: a host pattern or a network, and a port or any."""

    host: str = ""
    network: Network | None = None
    port: int | None = None

    def allows(self, host: str, address: Address, port: int) -> bool:
        """Whether the entry covers this address."""
        if not self.may_allow(host, port):
            return False
        return self.network is None or (address.version == self.network.version and address in self.network)

    def may_allow(self, host: str, port: int) -> bool:
        """Whether the entry can cover an address of this host: a network can as long as the address is not known."""
        if self.port is not None and self.port != port:
            return False
        return self.network is not None or fnmatch.fnmatchcase(host.lower().rstrip("."), self.host.lower())


def parse_rules(text: str) -> tuple[AllowRule, ...]:
    """Read an allow-list: host patterns, addresses or networks, each with an optional port, separated by commas.

    Raises:
        ValueError: an entry cannot be read.
    """
    return tuple(_parse_rule(entry.strip()) for entry in text.split(",") if entry.strip())


def _parse_rule(entry: str) -> AllowRule:
    name, port = entry, None
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        port = _parse_port(rest.removeprefix(":"), entry) if rest else None
    elif entry.count(":") == 1:
        name, _, number = entry.partition(":")
        port = _parse_port(number, entry)
    if not any(char.isalnum() for char in name):
        # A pattern of wildcards alone would allow every host, addresses written as hosts among them.
        raise ValueError(f"allow-list entry {entry!r}: name a host, a pattern such as *.example.com, or a network")
    try:
        return AllowRule(network=ipaddress.ip_network(name), port=port)
    except ValueError:
        if "/" in name or not all(char.isalnum() or char in "-.*" for char in name):
            raise ValueError(f"allow-list entry {entry!r} is neither a host pattern nor a network") from None
        return AllowRule(host=name, port=port)


def _parse_port(text: str, entry: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f"allow-list entry {entry!r}: {text!r} is not a port")
    return int(text)


def unwrap(address: Address) -> tuple[Address, ...]:
    """An address and every IPv4 address that is hidden in it: mapped, translated, NAT64, 6to4, Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    hidden: list[Address] = [address]
    if address.ipv4_mapped is not None:
        hidden.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        hidden.append(address.sixtofour)
    if address.teredo is not None:
        hidden.extend(address.teredo)
    bits = int(address)
    low = ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if address in _NAT64 or address in _NAT64_LOCAL or address in _TRANSLATED or bits >> 32 == 0:
        hidden.append(low)
    if address in _NAT64_LOCAL:
        # With a prefix of 48 bits the address stands around the reserved byte 64 to 71 (RFC 6052, 2.2).
        hidden.append(ipaddress.IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF))
    return tuple(hidden)


def forms(text: str) -> tuple[Address, ...]:
    """An address given as text, and those hidden in it; nothing when it cannot be read. A zone does not matter."""
    try:
        return unwrap(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return ()


class AddressPolicy:
    """The policy of production. There is no switch that weakens it.

    Args:
        rules: the administrator's allow-list for raw addresses.
        denied: addresses that are never reached besides the built-in ones: the API server's and the operator's own.
            Entries that are names, not addresses, are passed over: a raw address by name is checked after resolution.
    """

    def __init__(self, rules: Sequence[AllowRule] = (), denied: Iterable[str] = ()) -> None:
        self._rules = tuple(rules)
        self._denied = frozenset(_literal(entry) for entry in denied) - {None}
        self._judged: dict[str, str | None] = {}

    def refuse_pod(self, address: str) -> str | None:
        """A pod's address is refused only if it is one of those that are never allowed."""
        return self._never(address)

    def refuse_raw(self, host: str, address: str, port: int) -> str | None:
        """A raw address must be on the allow-list, and not be one of those that are never allowed."""
        never = self._never(address)
        if never is not None:
            return never
        parsed = ipaddress.ip_address(address)
        if any(rule.allows(host, parsed, port) for rule in self._rules):
            return None
        return _not_listed(host, port)

    def refuse_name(self, host: str, port: int) -> str | None:
        """A name that no entry can cover is not resolved: a DNS query, too, is a packet that a user makes us send."""
        if any(rule.may_allow(host, port) for rule in self._rules):
            return None
        return _not_listed(host, port)

    def _never(self, address: str) -> str | None:
        """Remembered: an address as text has one answer for as long as this policy lives."""
        if address not in self._judged:
            if len(self._judged) >= _MAX_JUDGED:
                self._judged.clear()
            self._judged[address] = self._judge(address)
        return self._judged[address]

    def _judge(self, address: str) -> str | None:
        found = forms(address)
        if not found:
            return "the address cannot be read"
        for form in found:
            if form in self._denied or any(form in network for network in _DENIED if network.version == form.version):
                return "addresses of nodes, cloud metadata, the API server and the operator are never probed"
        return None


def _not_listed(host: str, port: int) -> str:
    return (
        f"{host}:{port} is not a pod of this namespace and not on the allow-list; "
        "use serviceRef, or ask the administrator to add it to ULTRA_PROBE_ALLOW"
    )


def _literal(entry: str) -> Address | None:
    try:
        return ipaddress.ip_address(entry)
    except ValueError:
        return None
