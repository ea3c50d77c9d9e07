"""Settings that belong together."""

from __future__ import annotations

import pytest

from ultra_recovery.settings import ApiSettings, Settings, SettingsError

TOKENS = {"ULTRA_API_TOKENS": "/tokens.json"}
OWN = {"ULTRA_NAMESPACE": "ops"}


@pytest.mark.parametrize(
    ("environment", "watched"),
    [
        pytest.param({}, (), id="the whole cluster"),
        pytest.param({"ULTRA_SCOPE": "cluster"}, (), id="the whole cluster, said"),
        pytest.param({"ULTRA_WATCH_NAMESPACES": "a,b"}, ("a", "b"), id="some namespaces of the cluster"),
        pytest.param({"ULTRA_SCOPE": "namespace"}, ("ops",), id="the own namespace"),
        pytest.param({"ULTRA_SCOPE": "namespace", "ULTRA_WATCH_NAMESPACES": "a, b"}, ("a", "b"), id="named ones"),
    ],
)
def test_the_scope_says_what_is_watched_where_nothing_is_named(environment: dict[str, str], watched: tuple[str, ...]):
    assert Settings.read({**OWN, **environment}, "host").watch_namespaces == watched
    assert ApiSettings.read({**OWN, **TOKENS, **environment}).watch_namespaces == watched


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({"ULTRA_SCOPE": "Namespace"}, "ULTRA_SCOPE must be cluster or namespace", id="an unknown scope"),
        pytest.param({"ULTRA_CHECK_CREATOR": "yes"}, "ULTRA_CHECK_CREATOR must be true or false", id="not a switch"),
    ],
)
def test_what_cannot_be_used_is_named(environment: dict[str, str], words: str):
    with pytest.raises(SettingsError, match=words):
        Settings.read({**OWN, **environment}, "host")


def test_in_one_namespace_tokens_of_the_cluster_cannot_be_reviewed_and_the_message_says_what_to_use():
    with pytest.raises(SettingsError, match=r"ULTRA_API_AUDIENCE cannot be used.*ULTRA_API_TOKENS"):
        ApiSettings.read({**OWN, "ULTRA_SCOPE": "namespace", "ULTRA_API_AUDIENCE": "ultra-recovery"})


def test_creators_are_checked_only_where_that_is_asked_for():
    assert not Settings.read(OWN, "host").check_creator
    assert Settings.read({**OWN, "ULTRA_CHECK_CREATOR": "true"}, "host").check_creator
