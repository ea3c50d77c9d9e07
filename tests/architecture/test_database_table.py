"""The table of recoveries is made of figures that were measured, one row for each scenario."""

from __future__ import annotations

import json

from e2e import database_table as table
from e2e.scenarios import SCENARIOS


def test_the_page_is_what_the_figures_say():
    assert table.PAGE.read_text() == table.page(table.KEPT.read_text())


def test_every_row_has_a_scenario():
    assert {row["name"] for row in json.loads(table.KEPT.read_text())["rows"]} <= set(SCENARIOS)


def test_every_scenario_has_a_row():
    page = table.PAGE.read_text()
    assert [scenario.title for scenario in SCENARIOS.values() if f"| {scenario.title} |" not in page] == []
    assert len({scenario.title for scenario in SCENARIOS.values()}) == len(SCENARIOS)
