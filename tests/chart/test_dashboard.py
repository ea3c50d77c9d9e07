"""The Grafana dashboard asks for series that exist, by labels that they have, in a language that Prometheus speaks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, named, program, render
from ultra_recovery.adapters.metric_series import SERIES, Type
from ultra_recovery.adapters.rest_metrics import REST_SERIES

TEXT = (CHART / "files/dashboard.json").read_text()
DASHBOARD = json.loads(TEXT)
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
LABELS = {item.name: set(item.labels) for item in (*SERIES, *REST_SERIES)}
HISTOGRAMS = {item.name for item in (*SERIES, *REST_SERIES) if item.type is Type.HISTOGRAM}
# What a scrape adds to every series.
SCRAPED = {"pod", "instance", "job"}
NAME = re.compile(r"\b(?:recovery|leader_election)_\w+")
MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"by \(([^)]*)\)")


def queries() -> Iterator[tuple[str, str]]:
    """Every query with the title of its panel."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["query"]["query"]


QUERIES = list(queries())


def series_of(word: str) -> str | None:
    """The series that a word of a query means, or None when there is none."""
    if word in LABELS and word not in HISTOGRAMS:
        return word
    base = re.sub(r"_(bucket|sum|count)$", "", word)
    return base if base in HISTOGRAMS and base != word else None


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_query_names_series_and_labels_that_exist(title: str, query: str):
    words = NAME.findall(re.sub(r'="[^"]*"', "", query) if "__name__" not in query else query)
    assert words
    assert [word for word in words if series_of(word) is None] == []
    labels = set().union(*(LABELS[series_of(word) or ""] for word in words)) | SCRAPED | {"le", "__name__"}
    used = set(MATCHED.findall(query)) | {name for group in GROUPED.findall(query) for name in group.split(", ")}
    assert used <= labels


def test_every_query_is_promql(tmp_path: Path):
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, (title, query) in enumerate(QUERIES)
        if not title.startswith("variable")
    ]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(
        [program("promtool"), "check", "rules", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_series_is_of_use_to_somebody():
    """On the dashboard or in an alert; the few others are for a closer look."""
    told = {series_of(word) for word in NAME.findall(TEXT + (CHART / "files/rules.yaml").read_text())}
    assert set(LABELS) - told == {
        "recovery_attempts_total",
        "recovery_dry_runs_total",
        "recovery_enforcement_problems_total",
        "recovery_incidents_total",
        "recovery_leader_term",
        "recovery_rest_cache_stale",
        "recovery_run_duration_seconds",
        "recovery_waits_total",
    }


def test_panels_say_what_they_show_and_do_not_overlap():
    assert [panel["title"] for panel in PANELS if len(panel["description"]) < 10] == []
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, (panel["title"], taken.get((x, y)))
                taken[x, y] = panel["title"]
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_config_map_holds_it_unchanged():
    found: dict[str, Any] = dict(
        named(render({"dashboard": {"enabled": True}}), "ConfigMap", "ultra-recovery-dashboard")
    )
    assert json.loads(found["data"]["ultra-recovery.json"]) == DASHBOARD
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_the_alerts_of_the_rule_are_those_of_the_file():
    ours = yaml.safe_load((CHART / "files/rules.yaml").read_text())
    assert named(render({"prometheusRule": {"enabled": True}}), "PrometheusRule")["spec"] == ours
    based = {"prometheusRule": {"enabled": True, "runbookBase": "https://git.example.com/"}}
    text = json.dumps(named(render(based), "PrometheusRule"))
    assert "https://git.example.com/docs/runbooks/UltraRecovery" in text
    assert '"docs/runbooks' not in text
