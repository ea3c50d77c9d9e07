"""Values: each has an effect, each is in the schema, and what is wrong is refused with words that help."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, at, containers, environment, helm_template, merged, render, stable_text
from ultra_recovery.chart_page import documented_values
from ultra_recovery.settings import ApiSettings, Settings

TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(TEXT)
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
DOCUMENTED = [path.strip("`") for path, _, _ in documented_values(TEXT)]

SEPARATE = {"api": {"mode": "separate"}}
MONITORED = {"serviceMonitor": {"enabled": True, "apiToken": {"secret": "scraper"}}}
PEER = [{"namespaceSelector": {"matchLabels": {"team": "sre"}}}]
CHANGES: dict[str, tuple[Any, Mapping[str, Any]]] = {
    "nameOverride": ("other", {}),
    "fullnameOverride": ("other", {}),
    "commonLabels": ({"team": "sre"}, {}),
    "scope": ("namespace", {}),
    "watchNamespaces": (["shop"], {}),
    "image.repository": ("registry.example.com/ours", {}),
    "image.tag": ("1.2.3", {}),
    "image.digest": (f"sha256:{'0' * 64}", {}),
    "image.pullPolicy": ("Always", {}),
    "imagePullSecrets": ([{"name": "registry"}], {}),
    "replicas": (3, {}),
    "paused": (True, {}),
    "logLevel": ("DEBUG", {}),
    "probeAllow": (["10.20.0.0/16:443"], {}),
    "budgets.workload": (7, {}),
    "budgets.namespace": (31, {}),
    "budgets.cluster": (121, {}),
    "ports.ops": (9090, {}),
    "ports.api": (9443, {}),
    "authorization.checkCreator": (True, {}),
    "api.mode": ("separate", {}),
    "api.replicas": (3, SEPARATE),
    "api.serviceAccountName": ("ours", SEPARATE),
    "api.audience": ("other", {}),
    "api.tokens.existingSecret": ("ours", {}),
    "api.tokens.generate": ([{"name": "oncall", "scopes": ["read"], "namespaces": ["*"]}], {}),
    "api.tls.secretName": ("certificate", {}),
    "api.service.type": ("NodePort", {}),
    "api.service.annotations": ({"a": "b"}, {}),
    "api.resources": ({"limits": {"memory": "1Gi"}}, {}),
    "api.extraEnv": ([{"name": "TZ", "value": "UTC"}], {}),
    "resources": ({"limits": {"memory": "1Gi"}}, {}),
    "extraEnv": ([{"name": "TZ", "value": "UTC"}], {}),
    "crds.enabled": (False, {}),
    "crds.keep": (False, {}),
    "rbac.create": (False, {}),
    "rbac.aggregate": (False, {}),
    "rbac.editMayStartRuns": (True, {}),
    "serviceAccount.create": (False, {}),
    "serviceAccount.name": ("ours", {}),
    "serviceAccount.annotations": ({"a": "b"}, {}),
    "podAnnotations": ({"a": "b"}, {}),
    "podLabels": ({"a": "b"}, {}),
    "nodeSelector": ({"a": "b"}, {}),
    "tolerations": ([{"operator": "Exists"}], {}),
    "affinity": ({"nodeAffinity": {}}, {}),
    "priorityClassName": ("high", {}),
    "topologySpreadConstraints": ([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}], {}),
    "terminationGracePeriodSeconds": (60, {}),
    "podDisruptionBudget.enabled": (False, {}),
    "podDisruptionBudget.maxUnavailable": ("50%", {}),
    "networkPolicy.enabled": (False, {}),
    "networkPolicy.apiServerCidrs": (["10.96.0.1/32"], {}),
    "networkPolicy.apiServerPorts": ([8443], {}),
    "networkPolicy.egress": ([{"cidr": "10.20.0.0/16", "ports": [443]}], {}),
    "networkPolicy.apiFrom": (PEER, {}),
    "networkPolicy.metricsFrom": (PEER, {}),
    "serviceMonitor.enabled": (True, {}),
    "serviceMonitor.labels": ({"release": "prometheus"}, MONITORED),
    "serviceMonitor.interval": ("15s", MONITORED),
    "serviceMonitor.apiToken.secret": ("other", MONITORED),
    "serviceMonitor.apiToken.key": ("other", MONITORED),
    "prometheusRule.enabled": (True, {}),
    "prometheusRule.labels": ({"release": "prometheus"}, {"prometheusRule": {"enabled": True}}),
    "prometheusRule.runbookBase": ("https://git.example.com", {"prometheusRule": {"enabled": True}}),
    "dashboard.enabled": (True, {}),
    "dashboard.labels": ({"dashboards": "yes"}, {"dashboard": {"enabled": True}}),
    "drill.within": (120, {}),
}


def test_every_documented_value_is_tried():
    assert list(CHANGES) == DOCUMENTED


@pytest.mark.parametrize("path", CHANGES)
def test_every_value_has_an_effect(path: str):
    value, context = CHANGES[path]
    assert stable_text(merged(context, at(path, value))) != stable_text(context)


def schemas(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every part of the schema that describes a map with names of ours."""
    if "properties" in schema:
        yield path, schema
        for name, part in schema["properties"].items():
            yield from schemas(part, f"{path}.{name}")
    if isinstance(schema.get("items"), Mapping):
        yield from schemas(schema["items"], f"{path}[]")


def test_the_schema_takes_no_name_that_it_does_not_know():
    parts = [*schemas(SCHEMA), *((name, part) for name, part in SCHEMA["$defs"].items() if "properties" in part)]
    assert [path for path, part in parts if part.get("additionalProperties") is not False] == []


def test_the_schema_and_the_values_have_the_same_names():
    def names(values: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        # helm itself passes `global` to every chart.
        assert set(values) == set(schema["properties"]) - {"global"}
        for name, value in values.items():
            if isinstance(value, Mapping) and "properties" in schema["properties"][name]:
                names(value, schema["properties"][name])

    names(VALUES, SCHEMA)


WRONG = {
    "a name": ({"replcas": 2}, "additional properties 'replcas' not allowed"),
    "a name inside": ({"api": {"mod": "separate"}}, "at '/api': additional properties 'mod' not allowed"),
    "a word": ({"scope": "cluser"}, "at '/scope': value must be one of 'cluster', 'namespace'"),
    "a number as text": ({"replicas": "two"}, "at '/replicas': got string, want integer"),
    "a list as text": ({"watchNamespaces": "shop"}, "at '/watchNamespaces': got string, want array"),
    "too large": ({"replicas": 10}, "at '/replicas': maximum: got 10, want 9"),
    "no digest": ({"image": {"digest": "latest"}}, "at '/image/digest': 'latest' does not match pattern"),
    "a scope of a token": (
        {"api": {"tokens": {"generate": [{"name": "a", "scopes": ["write"], "namespaces": ["*"]}]}}},
        "value must be one of 'read', 'trigger'",
    ),
    "nobody may use the API": (
        {"scope": "namespace", "api": {"tokens": {"generate": []}}},
        "give api.tokens.generate an entry",
    ),
}


@pytest.mark.parametrize(("values", "words"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_value_is_refused_with_its_place(values: Mapping[str, Any], words: str):
    assert words in helm_template(values, check=False)


@pytest.mark.parametrize(
    "values", [{}, SEPARATE, {"scope": "namespace"}, {"scope": "namespace", **SEPARATE}], ids=json.dumps
)
def test_every_setting_can_be_reached(values: Mapping[str, Any]):
    all_on = merged(
        {
            "paused": True,
            "probeAllow": ["10.0.0.0/8", "*.example.com:443"],
            "watchNamespaces": ["shop", "billing"],
            "api": {"tls": {"secretName": "certificate"}},
        },
        values,
    )
    found = containers(render(all_on))
    operator, api = environment(found["operator"]), environment(found["api"])
    assert {f"ULTRA_{field.name.upper()}" for field in fields(Settings)} - {"ULTRA_KUBECONFIG"} <= set(operator)
    cluster = all_on.get("scope") != "namespace"
    missing = {f"ULTRA_API_{name}" for name in ("PORT", "TOKENS", *(["AUDIENCE"] if cluster else []), "TLS")} - set(api)
    assert missing == set()
    settings = Settings.read({name: value for name, value in operator.items() if value != "<field>"}, "pod")
    assert settings.watch_namespaces == ("recovery", "shop", "billing")
    assert settings.probe_allow == "10.0.0.0/8,*.example.com:443"
    assert settings.paused
    assert ApiSettings.read(api).watch_namespaces == settings.watch_namespaces
