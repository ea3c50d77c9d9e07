"""From a target to checked addresses."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.adapters.scene import Scene
from ultra_recovery.adapters.http.address import AddressPolicy, parse_rules
from ultra_recovery.adapters.http.resolve import Destination, Resolver, look_up
from ultra_recovery.apis.circuit_breaker import HttpTarget, ServiceRef
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.objects import Kind


class Names:
    """A resolver that knows what it is told, and remembers what it was asked."""

    def __init__(self, **known: Sequence[str]) -> None:
        self.known = {name.replace("_", "."): list(addresses) for name, addresses in known.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.known:
            raise OSError(host)
        return self.known[host]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def resolve(
    scene: Scene, target: HttpTarget | None = None, *, allow: str = "", names: Names | None = None
) -> Destination:
    policy = AddressPolicy(parse_rules(allow), ["10.96.0.1"])
    resolver = Resolver(scene.view, policy, names or Names())
    return await resolver.resolve(scene.namespace, target or HttpTarget(service_ref=ServiceRef(name="orders", port=80)))


async def refusal(scene: Scene, target: HttpTarget | None = None, **options: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        await resolve(scene, target, **options)  # type: ignore[arg-type]
    return caught.value


async def test_a_service_resolves_to_its_ready_pods_in_order(scene: Scene):
    scene.service()
    scene.slice([scene.ready_pod("b", "10.1.0.2"), scene.ready_pod("a", "10.1.0.1")])
    scene.slice([scene.ready_pod("c", "10.1.0.3")])
    found = await resolve(scene)
    assert found.addresses == (("10.1.0.1", 8080), ("10.1.0.2", 8080), ("10.1.0.3", 8080))
    assert (found.host, found.secure, found.path) == ("orders.shop.svc", False, "/")


async def test_ports_are_matched_by_their_name(scene: Scene):
    scene.service(port_name="web")
    scene.slice([scene.ready_pod("a", "10.1.0.1")], port=9090, port_name="metrics")
    scene.slice([scene.endpoint("10.1.0.1", "a")], port=8080, port_name="web")
    assert (await resolve(scene)).addresses == (("10.1.0.1", 8080),)


async def test_pods_that_are_not_ready_are_left_out_and_a_missing_condition_means_ready(scene: Scene):
    scene.service()
    scene.pod("a", "10.1.0.1")
    scene.pod("b", "10.1.0.2")
    scene.slice([scene.endpoint("10.1.0.1", "a", ready=False), scene.endpoint("10.1.0.2", "b", ready=None)])
    assert (await resolve(scene)).addresses == (("10.1.0.2", 8080),)


async def test_without_a_ready_pod_there_is_no_address_and_that_is_no_error(scene: Scene):
    scene.service()
    scene.pod("a", "10.1.0.1")
    scene.slice([scene.endpoint("10.1.0.1", "a", ready=False)])
    found = await resolve(scene)
    assert found.addresses == ()
    assert not found.unseen
    assert "no ready endpoint" in found.empty


async def test_an_endpoint_whose_pod_is_not_in_the_view_yet_is_passed_over(scene: Scene):
    scene.service()
    scene.slice([scene.ready_pod("a", "10.1.0.1"), scene.endpoint("10.1.0.2", "new")])
    assert (await resolve(scene)).addresses == (("10.1.0.1", 8080),)


async def test_an_endpoint_whose_pod_has_no_address_in_the_view_yet_is_passed_over(scene: Scene):
    scene.service()
    scene.pod("new")
    scene.slice([scene.ready_pod("a", "10.1.0.1"), scene.endpoint("10.1.0.2", "new")])
    assert (await resolve(scene)).addresses == (("10.1.0.1", 8080),)


async def test_when_no_ready_pod_is_in_the_view_nothing_is_known(scene: Scene):
    scene.service()
    scene.slice([scene.endpoint("10.1.0.2", "new")])
    found = await resolve(scene)
    assert found.addresses == ()
    assert found.unseen


async def test_a_missing_service_is_named(scene: Scene):
    error = await refusal(scene)
    assert error.reason is Reason.TARGET_NOT_FOUND
    assert "orders" in str(error)


async def test_a_missing_port_is_named_with_those_there_are(scene: Scene):
    scene.service(port=8443)
    error = await refusal(scene)
    assert error.reason is Reason.TARGET_NOT_FOUND
    assert "8443" in str(error)


async def test_a_service_of_another_namespace_does_not_exist_here(scene: Scene):
    scene.namespace = "other"
    scene.service()
    scene.namespace = "shop"
    assert (await refusal(scene)).reason is Reason.TARGET_NOT_FOUND


@pytest.mark.parametrize("allow", ["", "10.0.0.0/8"], ids=["not listed", "listed"])
@pytest.mark.parametrize(
    "case",
    ["no pod", "pod of another namespace", "address that the pod does not have", "pod in the host's network"],
)
async def test_an_endpoint_that_is_no_pod_of_the_namespace_is_a_raw_address(scene: Scene, case: str, allow: str):
    scene.service()
    scene.pod("a", "10.9.0.9" if case == "address that the pod does not have" else "10.1.0.1")
    if case == "pod in the host's network":
        scene.remove(Kind.POD, "a")
        scene.pod("a", "10.1.0.1", host_network=True)
    namespace = "other" if case == "pod of another namespace" else ""
    pod = "" if case == "no pod" else "a"
    scene.slice([scene.endpoint("10.1.0.1", pod, namespace=namespace)])
    if allow:
        assert (await resolve(scene, allow=allow)).addresses == (("10.1.0.1", 8080),)
    else:
        assert (await refusal(scene)).reason is Reason.TARGET_NOT_ALLOWED


@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1", "10.96.0.1"])
async def test_forged_endpoints_never_reach_what_is_never_allowed(scene: Scene, address: str):
    scene.service()
    scene.slice([scene.endpoint(address)])
    assert (await refusal(scene, allow="0.0.0.0/0")).reason is Reason.TARGET_NOT_ALLOWED


async def test_one_forbidden_endpoint_forbids_the_target(scene: Scene):
    scene.service()
    scene.slice([scene.ready_pod("a", "10.1.0.1"), scene.endpoint("192.168.7.7")])
    assert (await refusal(scene)).reason is Reason.TARGET_NOT_ALLOWED


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("10.200.0.2", id="plain"),
        pytest.param("::ffff:10.200.0.2", id="mapped"),
        pytest.param("64:ff9b::10.200.0.2", id="NAT64"),
        pytest.param("2002:ac8:2::1", id="6to4"),
    ],
)
async def test_the_api_server_behind_its_own_service_is_never_probed(scene: Scene, answer: str):
    scene.namespace = "default"
    scene.slice([scene.endpoint("10.200.0.2")], service="kubernetes", port=6443)
    scene.namespace = "shop"
    target = HttpTarget(url="https://a.example.com:6443/healthz")
    error = await refusal(scene, target, allow="*.example.com", names=Names(a_example_com=[answer]))
    assert error.reason is Reason.TARGET_NOT_ALLOWED
    assert "API server" in str(error)


async def test_an_external_name_is_a_raw_address(scene: Scene):
    scene.service(type="ExternalName", externalName="db.example.com")
    names = Names(db_example_com=["93.184.216.34"])
    assert (await refusal(scene, names=names)).reason is Reason.TARGET_NOT_ALLOWED
    found = await resolve(scene, names=names, allow="db.example.com:80")
    assert found.addresses == (("93.184.216.34", 80),)
    assert found.verify


async def test_a_url_that_is_not_allowed_is_refused_without_a_dns_query(scene: Scene):
    names = Names(evil_example_com=["93.184.216.34"])
    error = await refusal(scene, HttpTarget(url="http://evil.example.com/"), names=names)
    assert error.reason is Reason.TARGET_NOT_ALLOWED
    assert names.asked == []


async def test_every_address_of_a_name_is_checked(scene: Scene):
    names = Names(a_example_com=["93.184.216.34", "169.254.169.254"])
    error = await refusal(scene, HttpTarget(url="http://a.example.com/"), names=names, allow="*.example.com")
    assert error.reason is Reason.TARGET_NOT_ALLOWED


@pytest.mark.parametrize(
    ("url", "name", "host", "port", "secure", "path"),
    [
        ("http://a.example.com", "a.example.com", "a.example.com", 80, False, "/"),
        ("https://a.example.com/x?y=1", "a.example.com", "a.example.com", 443, True, "/x?y=1"),
        ("https://a.example.com:8443/", "a.example.com", "a.example.com:8443", 8443, True, "/"),
        ("https://[2001:db8::1]:8443/", "2001:db8::1", "[2001:db8::1]:8443", 8443, True, "/"),
    ],
)
async def test_an_allowed_url_keeps_its_host_name_port_and_path(
    scene: Scene, url: str, name: str, host: str, port: int, secure: bool, path: str
):
    names = Names()
    names.known[name] = ["2001:db8::1"]
    found = await resolve(scene, HttpTarget(url=url), names=names, allow="*.example.com,2001:db8::/32")
    assert found == Destination((("2001:db8::1", port),), host, name, secure, verify=True, path=path)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://user@a.example.com/", id="a user"),
        pytest.param("http://a.example.com:99999/", id="a port out of range"),
        pytest.param("http://a.example.com:0/", id="port zero"),
        pytest.param("ftp://a.example.com/", id="another scheme"),
        pytest.param("http://[::1/", id="an open bracket"),
    ],
)
async def test_a_url_that_the_schema_should_have_refused_is_an_error_not_a_crash(scene: Scene, url: str):
    target = HttpTarget.model_construct(url=url, service_ref=None)
    assert (await refusal(scene, target, allow="*.example.com")).reason is Reason.TARGET_INVALID


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("a..example.com", id="an empty label"),
        pytest.param(f"{'a' * 70}.example.com", id="a label that is too long"),
    ],
)
async def test_a_name_that_no_resolver_can_ask_for_is_the_users_mistake(scene: Scene, host: str):
    policy = AddressPolicy(parse_rules("*.example.com"))
    target = HttpTarget.model_construct(url=f"http://{host}/", service_ref=None)
    with pytest.raises(SpecError) as caught:
        await Resolver(scene.view, policy, look_up).resolve(scene.namespace, target)
    assert caught.value.reason is Reason.TARGET_INVALID


async def test_a_name_that_does_not_resolve_is_an_error_of_the_network(scene: Scene):
    with pytest.raises(OSError, match=r"gone\.example\.com"):
        await resolve(scene, HttpTarget(url="http://gone.example.com/"), allow="*.example.com")
