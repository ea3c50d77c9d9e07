"""The same address policy for every kind of target."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from tests.unit.adapters.scene import Scene
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.resolve import Destination, Resolver, Turns
from ultra_recovery.apis.circuit_breaker import PrometheusTarget, ServiceRef, TcpTarget
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError

ORDERS = ServiceRef(name="orders", port=80)


async def numeric(host: str, port: int) -> Sequence[str]:
    """Reads numbers as the system's resolver does, in every spelling, and asks nobody."""
    flags = socket.AI_NUMERICHOST
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)]


def resolver(scene: Scene, allow: str = "", lookup=numeric) -> Resolver:
    return Resolver(scene.view, AddressPolicy(parse_rules(allow), ["10.96.0.1"]), lookup)


async def tcp(scene: Scene, address: str, allow: str = "") -> Destination:
    return await resolver(scene, allow).resolve_tcp("shop", TcpTarget(address=address))


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("127.0.0.1:5432", id="loopback"),
        pytest.param("[::1]:5432", id="loopback v6"),
        pytest.param("[::ffff:127.0.0.1]:22", id="loopback, mapped"),
        pytest.param("0.0.0.0:80", id="unspecified"),
        pytest.param("169.254.169.254:80", id="metadata"),
        pytest.param("2852039166:80", id="metadata as a number"),
        pytest.param("0xa9fea9fe:80", id="metadata in hex"),
        pytest.param("0251.0376.0251.0376:80", id="metadata in octal"),
        pytest.param("169.254.43518:80", id="metadata, shortened"),
        pytest.param("[64:ff9b::a9fe:a9fe]:80", id="metadata, NAT64"),
        pytest.param("[2002:a9fe:a9fe::1]:80", id="metadata, 6to4"),
        pytest.param("100.100.100.200:80", id="metadata of another cloud"),
        pytest.param("168.63.129.16:80", id="the host's wire server"),
        pytest.param("224.0.0.1:80", id="multicast"),
        pytest.param("10.96.0.1:443", id="API server"),
    ],
)
async def test_what_is_never_probed_is_never_connected_to(address: str):
    with pytest.raises(SpecError) as caught:
        await tcp(Scene(), address, "0.0.0.0/0,::/0")
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED


@pytest.mark.parametrize(
    ("address", "allow", "expected"),
    [
        pytest.param("10.20.0.5:5432", "10.20.0.0/16", (("10.20.0.5", 5432),), id="a network"),
        pytest.param("10.20.0.5:5432", "10.20.0.0/16:5432", (("10.20.0.5", 5432),), id="a network and its port"),
        pytest.param("10.20.0.5:22", "10.20.0.0/16:5432", None, id="another port"),
        pytest.param("10.21.0.5:5432", "10.20.0.0/16", None, id="another network"),
        pytest.param("10.20.0.5:5432", "", None, id="no list"),
        pytest.param("[2001:db8::5]:5432", "2001:db8::/64", (("2001:db8::5", 5432),), id="IPv6"),
    ],
)
async def test_a_raw_address_needs_the_allow_list(address: str, allow: str, expected: tuple | None):
    if expected is not None:
        assert (await tcp(Scene(), address, allow)).addresses == expected
        return
    with pytest.raises(SpecError) as caught:
        await tcp(Scene(), address, allow)
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED


async def test_a_name_that_is_not_allowed_is_not_even_asked_for():
    async def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    target = TcpTarget(address="db.evil.org:5432")
    with pytest.raises(SpecError, match="not on the allow-list"):
        await resolver(Scene(), "*.example.com", never).resolve_tcp("shop", target)


@pytest.mark.parametrize("address", ["a.example.com", "a.example.com:0", "a.example.com:99999", ":80", "a:²"])
async def test_an_address_that_an_older_rule_let_through_is_the_users_mistake(address: str):
    target = TcpTarget.model_construct(service_ref=None, address=address)
    with pytest.raises(SpecError) as caught:
        await resolver(Scene(), "*.example.com").resolve_tcp("shop", target)
    assert caught.value.reason is Reason.TARGET_INVALID


async def test_a_service_is_resolved_the_same_way_for_all_kinds():
    scene = Scene()
    scene.service()
    scene.slice([scene.ready_pod("a", "10.1.0.1"), scene.ready_pod("b", "10.1.0.2")])
    web = PrometheusTarget(service_ref=ORDERS, query="up", comparison="Above", threshold="0", scheme="HTTPS")
    found = [
        await resolver(scene).resolve_tcp("shop", TcpTarget(service_ref=ORDERS)),
        await resolver(scene).resolve("shop", web, "spec.target.prometheus"),
    ]
    assert [item.addresses for item in found] == [(("10.1.0.1", 8080), ("10.1.0.2", 8080))] * 2
    assert [item.secure for item in found] == [False, True]
    turns = Turns()
    assert [turns.next("shop", found[0])[0] for _ in range(3)] == ["10.1.0.1", "10.1.0.2", "10.1.0.1"]


async def test_a_forged_endpoint_is_a_raw_address_for_tcp_too():
    scene = Scene()
    scene.service()
    scene.slice([scene.endpoint("10.9.9.9")])
    with pytest.raises(SpecError) as caught:
        await resolver(scene).resolve_tcp("shop", TcpTarget(service_ref=ORDERS))
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED


async def test_a_target_without_a_place_is_named():
    with pytest.raises(SpecError, match=r"spec\.target\.tcp: set serviceRef or address"):
        await resolver(Scene()).resolve_tcp("shop", TcpTarget())
    nowhere = PrometheusTarget(query="up", comparison="Above", threshold="0")
    with pytest.raises(SpecError, match=r"spec\.target\.prometheus: set serviceRef"):
        await resolver(Scene()).resolve("shop", nowhere, "spec.target.prometheus")
