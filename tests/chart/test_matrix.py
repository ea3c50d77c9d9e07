"""Whatever toggles are combined, the chart renders objects that the API server knows, and keeps its promises."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from tests.chart.openapi import write_schemas
from tests.chart.pairs import Row
from tests.chart.rendering import containers, helm_template, kinds, program, render
from tests.chart.toggles import ROWS, TOGGLES, name_of, values_of

# Kinds of Prometheus Operator: its definitions are not part of Kubernetes, and not in the cluster of the tests.
UNKNOWN = "ServiceMonitor,PrometheusRule"


def test_any_two_choices_meet_in_a_row():
    met = {frozenset(pair) for row in ROWS for pair in combinations(row.items(), 2)}
    for one, two in combinations(TOGGLES, 2):
        assert {frozenset({(one, a), (two, b)}) for a in TOGGLES[one] for b in TOGGLES[two]} <= met
    assert len(ROWS) <= 20


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if "KUBECONFIG" not in os.environ:
        pytest.fail("the schemas come from a cluster: run `make test`, or set KUBECONFIG")
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder)
    return folder


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_it_renders_what_the_api_server_takes(row: Row, schemas: Path):
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [program("kubeconform"), "-strict", "-summary", "-output", "json", "-skip", UNKNOWN]
    text = helm_template(values_of(row))
    done = subprocess.run(
        [*command, "-schema-location", location], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    summary = json.loads(done.stdout)["summary"]
    assert summary["valid"] > 5
    assert summary["skipped"] == (2 if row["monitoring"] == "all" else 0)


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_optional_kinds_are_there_only_when_asked_for(row: Row):
    found = kinds(render(values_of(row)))
    cluster = row["scope"] == "cluster" and row["rbac"] != "none"
    assert ("ClusterRole" in found, "ClusterRoleBinding" in found) == (cluster, cluster)
    assert ("ServiceMonitor" in found) is ("PrometheusRule" in found) is (row["monitoring"] == "all")
    assert ("CustomResourceDefinition" in found) is (row["crds"] != "without")
    assert ("NetworkPolicy" in found) is (row["network"] != "none")
    assert ("PodDisruptionBudget" in found) is (row["budget"] == "pdb")
    assert ("Secret" in found) is (row["tokens"] == "generated")


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_every_object_has_the_recommended_labels_and_its_namespace(row: Row):
    for item in render(values_of(row)):
        labels = item["metadata"]["labels"]
        assert {f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "managed-by")} <= set(labels)
        everywhere = item["kind"] in ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition")
        assert ("namespace" in item["metadata"]) is not everywhere
        if row["pods"] == "placed":
            assert labels["team"] == "sre"


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_selectors_find_the_pods_they_mean(row: Row):
    documents = render(values_of(row))
    pods = {item["metadata"]["name"]: item["spec"]["template"] for item in documents if item["kind"] == "Deployment"}
    for item in documents:
        if item["kind"] not in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            continue
        spec = item["spec"]
        selector = spec.get("podSelector", spec.get("selector", {}))
        selector = selector.get("matchLabels", selector)
        found = [name for name, template in pods.items() if selector.items() <= template["metadata"]["labels"].items()]
        assert len(found) == 1, item["metadata"]["name"]
        if item["kind"] == "Service":
            ports = {port["name"] for container in pods[found[0]]["spec"]["containers"] for port in container["ports"]}
            assert {port["targetPort"] for port in spec["ports"]} <= ports
    assert set(containers(documents)) == {"operator", "api"}


def test_the_same_values_render_the_same_text():
    values = {"api": {"tokens": {"existingSecret": "ours"}}}
    assert helm_template(values) == helm_template(values)
