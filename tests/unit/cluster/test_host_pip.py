"""The machine's pip settings reach a build and stay out of what does not concern it."""

from __future__ import annotations

import configparser

import pytest

from e2e.cluster.host_pip import AUTHORITY_IN_BUILD, authority, build_settings, configuration, package_folders


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "ca.crt"
    path.write_text("certificate")
    return path


def read(path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read(path)
    return dict(parser["global"])


def test_variables_win_over_files(tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\ntimeout = 5\nindex-url = from-file\n")

    merged = configuration([file], {"PIP_INDEX_URL": "from-variable", "HOME": "/"})

    assert dict(merged["global"]) == {"timeout": "5", "index-url": "from-variable"}


@pytest.mark.parametrize("name", ["PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_TARGET", "PIP_CACHE_DIR", "PIP_CERT"])
def test_settings_that_only_make_sense_on_the_machine_are_left_out(name):
    assert dict(configuration([], {name: "1"})["global"]) == {}


def test_the_certificates_are_lent_under_a_path_of_the_build(tmp_path, bundle):
    with build_settings({"PIP_CERT": str(bundle)}, home=tmp_path) as settings:
        assert settings.secrets["ca"] == bundle
        assert read(settings.secrets["pip"])["cert"] == AUTHORITY_IN_BUILD
        assert settings.secrets["pip"].stat().st_mode & 0o077 == 0
        lent = settings.secrets["pip"]

    assert not lent.exists()


@pytest.mark.parametrize("name", ["PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_are_found_where_programs_look_for_them(bundle, name):
    assert authority(None, {name: str(bundle)}) == bundle
    assert authority(None, {name: "/nowhere"}) is None


def test_folders_of_packages_are_lent_and_addresses_are_not_folders(tmp_path):
    merged = configuration([], {"PIP_FIND_LINKS": f"{tmp_path} https://packages.test/simple /nowhere"})

    assert package_folders(merged) == [tmp_path]
