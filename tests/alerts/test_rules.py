"""The alerts, as Prometheus itself judges them. promtool must be on the PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.cases import SERVICE_CASES, Case
from tests.alerts.operator_cases import OPERATOR_CASES
from ultra_recovery.adapters.metric_series import SERIES
from ultra_recovery.adapters.metrics import MetricsSink
from ultra_recovery.adapters.rest_metrics import REST_SERIES, RestMetrics
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Key, Kind

CASES = (*SERVICE_CASES, *OPERATOR_CASES)
PROJECT = Path(__file__).resolve().parents[2]
RULES = PROJECT / "helm/ultra-recovery/files/rules.yaml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
}


def promtool(*words: str, text: str = "") -> str:
    """What promtool prints; it must agree."""
    program = shutil.which("promtool")
    assert program, "promtool is not on the PATH: run `python3 -m e2e.cluster tools promtool`"
    done = subprocess.run([program, *words], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def document(case: Case) -> dict[str, Any]:
    """A case in the words of promtool."""
    rule = ALERTS[case.alert]
    checks = []
    for moment, fired in case.fires.items():
        expected = []
        if fired is not None:
            annotations = {**rule["annotations"], "description": fired.description}
            labels = {**rule["labels"], **fired.labels}
            expected = [{"exp_labels": labels, "exp_annotations": annotations}]
        checks.append({"eval_time": moment, "alertname": case.alert, "exp_alerts": expected})
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {"interval": "30s", "input_series": series, "alert_rule_test": checks}
    return {"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": [test]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.name}")
def test_an_alert_fires_when_it_should_and_not_before(case: Case, tmp_path: Path):
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(document(case)))
    promtool("test", "rules", str(path))


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_fire_and_not_to_fire(alert: str):
    seen = {fired is not None for case in CASES if case.alert == alert for fired in case.fires.values()}
    assert seen == {True, False}


def test_a_missing_answer_would_be_noticed(tmp_path: Path):
    """The tests above prove something only if promtool can say no."""
    case = Case("UltraRecoveryNeedsHuman", "never", {"recovery_policy_needs_human": "1x5"}, {"1m": None})
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(document(case)))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", str(path))


def test_the_rules_are_valid():
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", str(RULES))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_made_of_series_that_exist_with_labels_that_they_have(alert: str):
    """Labels of the scrape itself are the target's: the pod, and its namespace."""
    labels = {item.name: {*item.labels, "namespace", "pod"} for item in SERIES}
    expression = ALERTS[alert]["expr"]
    names = set(re.findall(r"\b(?:recovery|leader)_\w+", expression))
    assert names
    assert names <= set(labels)
    common = set.union(*(labels[name] for name in names))
    for group in re.findall(r"by \(([^)]*)\)", expression):
        assert {word.strip() for word in group.split(",")} <= common
    for name, matchers in re.findall(r"\b(\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)[=!]", matchers)) <= labels[name]


def test_the_metrics_of_the_operator_are_as_prometheus_wants_them():
    metrics = MetricsSink()
    key = Key(Kind.BREAKER, "shop", "db")
    for topic in Topic:
        metrics.publish(Notice(topic, key, "u", Reason.HEALTHY, "m", values={"duration": 1.0, "leader": 1.0}))
    promtool("check", "metrics", text=metrics.render()[0].decode())


def test_the_metrics_of_the_recovery_api_are_as_prometheus_wants_them():
    metrics = RestMetrics()
    metrics.count_request("/livez", "GET", 200, 0.1)
    text = metrics.render()[0].decode()
    assert REST_SERIES[0].name in text
    promtool("check", "metrics", text=text)
