"""kube-score and checkov find nothing but what exceptions.yaml explains, and the plain manifests are the chart's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import PROJECT, Values, helm_template, merged, program
from tests.chart.toggles import DIGEST

SHAPES: dict[str, Values] = {
    "default": {},
    "separate": {"api": {"mode": "separate", "tls": {"secretName": "certificate"}}},
    "namespace": {"scope": "namespace", "watchNamespaces": ["shop"]},
    "everything": {
        "authorization": {"checkCreator": True},
        "rbac": {"editMayStartRuns": True},
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
    },
}
EXCEPTIONS = yaml.safe_load((PROJECT / "tests/chart/exceptions.yaml").read_text())
Finding = tuple[str, str]


def kube_score(path: Path) -> Iterator[Finding]:
    """Checks that are not passed, with the kind they are about."""
    command = [program("kube-score"), "score", "--output-format", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    for item in json.loads(done.stdout):
        for check in item["checks"]:
            if not check["skipped"] and check["grade"] < 10:
                yield check["check"]["id"], item["type_meta"]["kind"]


def checkov(path: Path) -> Iterator[Finding]:
    """Checks that failed, with the kind they are about."""
    command = [str(PROJECT / "scripts/checkov"), sys.executable, "--file", str(path), "--framework", "kubernetes"]
    command += ["--quiet", "--compact", "--skip-download", "--output", "json"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=environment)
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 50, done.stderr
    assert report["summary"]["parsing_errors"] == 0
    for check in report["results"]["failed_checks"]:
        yield check["check_id"], check["resource"].split(".")[0]


TOOLS = {"kube-score": kube_score, "checkov": checkov}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_linter_finds_exactly_what_is_explained(tool: str, tmp_path: Path):
    found: set[Finding] = set()
    for name, values in SHAPES.items():
        path = tmp_path / f"{name}.yaml"
        path.write_text(helm_template(merged(DIGEST, values)))
        found |= set(TOOLS[tool](path))
    explained = {(item["check"], kind) for item in EXCEPTIONS if item["tool"] == tool for kind in item["kinds"]}
    assert found == explained


@pytest.mark.parametrize("item", EXCEPTIONS, ids=lambda item: f"{item['tool']} {item['check']}")
def test_an_exception_has_a_reason(item: dict[str, str]):
    assert set(item) == {"tool", "check", "kinds", "reason"}
    assert item["tool"] in TOOLS
    assert item["reason"].endswith(".")


@pytest.mark.parametrize("shape", SHAPES)
def test_helm_lint_says_nothing(shape: str, tmp_path: Path):
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps(SHAPES[shape]))
    command = [program("helm"), "lint", "--strict", "--quiet", str(PROJECT / "helm/ultra-recovery")]
    done = subprocess.run(
        [*command, "--kube-version", "1.30.0", "--values", str(values)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_plain_manifests_are_what_the_chart_makes(tmp_path: Path):
    path = f"{Path(program('helm')).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([str(PROJECT / "scripts/manifests"), str(tmp_path)], check=True, env={**os.environ, "PATH": path})
    for name in ("crds.yaml", "operator.yaml"):
        assert (tmp_path / name).read_text() == (PROJECT / "deploy" / name).read_text(), "run `make manifests`"


def test_kustomize_takes_the_plain_manifests():
    command = [program("kubectl"), "kustomize", str(PROJECT / "deploy")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert {item["kind"] for item in yaml.safe_load_all(done.stdout)} >= {"CustomResourceDefinition", "Deployment"}
