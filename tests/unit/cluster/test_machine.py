"""What is missing on the machine is named, with what to install."""

from __future__ import annotations

import pytest

from e2e.cluster.layout import KUBERNETES, Cache
from e2e.cluster.local.machine import Need, explain, go_version, missing, require_go, require_root
from e2e.cluster.problem import ProblemError


def need(name: str, *packages: str, there: bool = False) -> Need:
    return Need(name, packages, lambda: there)


def test_only_what_is_missing_is_missing():
    assert [lack.name for lack in missing([need("ip", "iproute2", there=True), need("runc", "runc")])] == ["runc"]


def test_without_a_package_manager_the_message_names_programs_packages_and_another_way():
    message = str(explain([need("gcc", "gcc", "libc6-dev"), need("static C library", "libc6-dev")]))

    assert "missing on this machine: gcc, static C library" in message
    assert "install what Debian calls gcc libc6-dev, or" in message
    assert "CLUSTER=kind" in message


def test_without_root_the_message_names_the_other_providers():
    with pytest.raises(ProblemError, match=r"needs root(.|\n)*CLUSTER=kind(.|\n)*CLUSTER=current"):
        require_root(user=1000)
    require_root(user=0)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("go1.24.3\n", (1, 24), id="a release"),
        pytest.param("go1.26", (1, 26), id="without a patch number"),
        pytest.param("devel go1.27-abc", (1, 27), id="a development build"),
        pytest.param("", (0, 0), id="nothing"),
    ],
)
def test_the_version_of_go_is_read(text, version):
    assert go_version(text) == version


def test_a_missing_go_is_explained():
    with pytest.raises(ProblemError, match=r"Go is missing(.|\n)*install Go 1\.24 or newer"):
        require_go(look=lambda _: None)


def test_an_old_go_is_refused():
    with pytest.raises(ProblemError, match=r"/usr/bin/go is go1\.19\.8, too old"):
        require_go(look=lambda _: "/usr/bin/go", ask=lambda _: "go1.19.8\n")


def test_a_new_go_is_taken():
    assert require_go(look=lambda _: "/usr/bin/go", ask=lambda _: "go1.24.0\n") == "/usr/bin/go"


def test_the_cache_lies_outside_the_checkout_and_is_keyed_by_version(tmp_path):
    cache = Cache.of({"ULTRA_CACHE": str(tmp_path)})

    assert cache.binaries == tmp_path / f"bin-{KUBERNETES}"
    assert Cache.of({}).root.name == "ultra-recovery"


def test_what_others_keep_in_the_folder_of_the_cache_is_not_ours(tmp_path):
    for name in ("bin-v1.34.4", "images", "bin", "documents"):
        (tmp_path / name).mkdir()

    assert [path.name for path in Cache(tmp_path).contents()] == ["bin-v1.34.4", "images"]
