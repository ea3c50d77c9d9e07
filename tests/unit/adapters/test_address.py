"""The address policy: what is never probed, what needs the allow-list, and every spelling of both."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules, unwrap

EVERYTHING = "0.0.0.0/0,::/0"

NEVER = [
    pytest.param("127.0.0.1", id="loopback"),
    pytest.param("127.255.255.254", id="loopback, far end"),
    pytest.param("::1", id="loopback v6"),
    pytest.param("::ffff:127.0.0.1", id="loopback, mapped"),
    pytest.param("::127.0.0.1", id="loopback, IPv4-compatible"),
    pytest.param("::ffff:0:127.0.0.1", id="loopback, translated"),
    pytest.param("0.0.0.0", id="unspecified"),
    pytest.param("0.1.2.3", id="this network"),
    pytest.param("::", id="unspecified v6"),
    pytest.param("255.255.255.255", id="broadcast"),
    pytest.param("224.0.0.1", id="multicast"),
    pytest.param("239.255.255.255", id="multicast, far end"),
    pytest.param("ff02::1", id="multicast v6"),
    pytest.param("169.254.0.1", id="link-local"),
    pytest.param("fe80::1", id="link-local v6"),
    pytest.param("fe80::1%eth0", id="link-local v6 with a zone"),
    pytest.param("fec0::1", id="site-local v6"),
    pytest.param("169.254.169.254", id="metadata"),
    pytest.param("::ffff:169.254.169.254", id="metadata, mapped"),
    pytest.param("::ffff:a9fe:a9fe", id="metadata, mapped, in hex"),
    pytest.param("::ffff:0:169.254.169.254", id="metadata, translated"),
    pytest.param("64:ff9b::a9fe:a9fe", id="metadata, NAT64"),
    pytest.param("64:ff9b:1::a9fe:a9fe", id="metadata, local NAT64"),
    pytest.param("64:ff9b:1:a9fe:a9:fe00::", id="metadata, local NAT64 with 48 bits"),
    pytest.param("2002:a9fe:a9fe::1", id="metadata, 6to4"),
    pytest.param("2001:0:a9fe:a9fe::1", id="metadata as a Teredo server"),
    pytest.param("169.254.170.2", id="metadata of tasks"),
    pytest.param("169.254.170.23", id="metadata of pods"),
    pytest.param("fd00:ec2::254", id="metadata v6"),
    pytest.param("fd00:ec2::23", id="metadata of pods v6"),
    pytest.param("fd20:ce::254", id="metadata v6 of another cloud"),
    pytest.param("100.100.100.200", id="metadata of another cloud"),
    pytest.param("192.0.0.192", id="metadata of a third cloud"),
    pytest.param("168.63.129.16", id="the host's wire server"),
    pytest.param("64:ff9b::a83f:8110", id="the host's wire server, NAT64"),
    pytest.param("10.96.0.1", id="API server"),
    pytest.param("::ffff:10.96.0.1", id="API server, mapped"),
    pytest.param("fd00::1", id="API server v6"),
    pytest.param("10.1.2.3", id="own pod"),
    pytest.param("not an address", id="not an address"),
    pytest.param("", id="nothing"),
]


@pytest.fixture
def policy() -> AddressPolicy:
    return AddressPolicy(parse_rules(EVERYTHING), ["10.96.0.1", "fd00::1", "10.1.2.3", "kubernetes.example.com"])


@pytest.mark.parametrize("address", NEVER)
def test_what_is_never_allowed_is_refused_even_when_everything_is_on_the_list(policy: AddressPolicy, address: str):
    assert policy.refuse_raw("example.com", address, 80)


@pytest.mark.parametrize("address", NEVER)
def test_what_is_never_allowed_is_refused_for_pods_too(policy: AddressPolicy, address: str):
    assert policy.refuse_pod(address)


@pytest.mark.parametrize("address", ["10.1.2.4", "192.168.1.1", "100.64.0.1", "8.8.8.8", "fd00::2", "2001:db8::1"])
def test_other_addresses_of_pods_are_allowed(address: str):
    assert AddressPolicy().refuse_pod(address) is None


@pytest.mark.parametrize(
    "spelling", ["0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "0xA9.0xFE.0xA9.0xFE"]
)
def test_odd_spellings_that_the_resolver_understands_are_refused_once_resolved(policy: AddressPolicy, spelling: str):
    with pytest.raises(ValueError, match="does not appear to be"):
        ipaddress.ip_address(spelling)
    (address, *_) = {item[4][0] for item in socket.getaddrinfo(spelling, 80, type=socket.SOCK_STREAM)}
    assert address == "169.254.169.254"
    assert policy.refuse_raw(spelling, str(address), 80)


@pytest.mark.parametrize(
    ("rules", "host", "address", "port", "allowed"),
    [
        pytest.param("", "a.example.com", "93.184.216.34", 443, False, id="an empty list"),
        pytest.param("a.example.com", "a.example.com", "93.184.216.34", 443, True, id="host"),
        pytest.param("a.example.com", "A.Example.COM", "93.184.216.34", 443, True, id="host in capitals"),
        pytest.param("a.example.com", "a.example.com.", "93.184.216.34", 443, True, id="host with a final dot"),
        pytest.param("a.example.com", "b.a.example.com", "93.184.216.34", 443, False, id="a host below it"),
        pytest.param("*.example.com", "a.example.com", "93.184.216.34", 443, True, id="pattern"),
        pytest.param("*.example.com", "example.com", "93.184.216.34", 443, False, id="the pattern's own domain"),
        pytest.param("*.example.com", "a.example.com.evil.net", "93.184.216.34", 443, False, id="pattern, then more"),
        pytest.param("*.example.com:443", "a.example.com", "93.184.216.34", 443, True, id="pattern and port"),
        pytest.param("*.example.com:443", "a.example.com", "93.184.216.34", 80, False, id="pattern and other port"),
        pytest.param("10.2.0.0/16", "a.internal", "10.2.3.4", 80, True, id="network"),
        pytest.param("10.2.0.0/16", "a.internal", "10.3.3.4", 80, False, id="outside of the network"),
        pytest.param("10.2.0.0/16", "a.internal", "::ffff:10.2.3.4", 80, False, id="mapped form of the network"),
        pytest.param("10.2.3.4:8080", "10.2.3.4", "10.2.3.4", 8080, True, id="address and port"),
        pytest.param("10.2.3.4:8080", "10.2.3.4", "10.2.3.4", 8081, False, id="address and other port"),
        pytest.param("[fd00:1::/32]:443", "fd00:1::5", "fd00:1::5", 443, True, id="network v6 and port"),
        pytest.param("fd00:1::/32", "fd00:1::5", "fd00:1::5", 1, True, id="network v6"),
        pytest.param("x.net, 10.2.0.0/16", "a.internal", "10.2.3.4", 80, True, id="the second entry"),
        pytest.param("*.example.com", "a.example.com", "169.254.169.254", 80, False, id="a listed name for metadata"),
    ],
)
def test_raw_addresses_need_an_entry(rules: str, host: str, address: str, port: int, allowed: bool):
    refusal = AddressPolicy(parse_rules(rules)).refuse_raw(host, address, port)
    assert (refusal is None) is allowed


def test_a_refusal_says_what_to_do():
    refusal = AddressPolicy().refuse_raw("a.example.com", "93.184.216.34", 443)
    assert refusal is not None
    assert "serviceRef" in refusal
    assert "ULTRA_PROBE_ALLOW" in refusal


@pytest.mark.parametrize(
    ("rules", "host", "port", "refused"),
    [
        pytest.param("", "a.example.com", 443, True, id="an empty list"),
        pytest.param("*.example.com:443", "a.example.com", 443, False, id="covered"),
        pytest.param("*.example.com:443", "a.example.com", 80, True, id="other port"),
        pytest.param("*.example.com", "a.example.org", 443, True, id="other host"),
        pytest.param("10.2.0.0/16:443", "a.example.org", 443, False, id="a network may cover any name"),
        pytest.param("10.2.0.0/16:443", "a.example.org", 80, True, id="but not on another port"),
    ],
)
def test_a_name_that_no_entry_can_cover_is_refused_before_it_is_resolved(
    rules: str, host: str, port: int, refused: bool
):
    assert (AddressPolicy(parse_rules(rules)).refuse_name(host, port) is not None) is refused


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "*:443",
        "**",
        "*.*",
        "*.*:443",
        "-*",
        ":443",
        "a.example.com:0",
        "a.example.com:65536",
        "a.example.com:http",
        "10.0.0.0/33",
        "a b",
        "a;b",
    ],
)
def test_an_allow_list_that_cannot_be_meant_is_an_error_that_names_the_entry(text: str):
    with pytest.raises(ValueError, match="allow-list entry"):
        parse_rules(text)


def test_ordinary_addresses_hide_nothing():
    for text in ("93.184.216.34", "2001:db8::1", "fd00::1"):
        address = ipaddress.ip_address(text)
        assert unwrap(address) == (address,)
