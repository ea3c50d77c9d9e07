"""Which kinds are watched in which scope."""

from __future__ import annotations

import pytest

from ultra_recovery.core.objects import Kind
from ultra_recovery.handlers.watch import RESOURCES, build_registry


@pytest.mark.parametrize(
    ("clusterwide", "left_out"),
    [pytest.param(True, set(), id="the whole cluster"), pytest.param(False, {"namespaces"}, id="some namespaces")],
)
def test_every_kind_is_watched_as_far_as_the_scope_allows(clusterwide: bool, left_out: set[str]):
    handlers = build_registry(lambda *_: None, clusterwide=clusterwide)._watching.get_all_handlers()
    expected = {plural for _, _, plural in RESOURCES.values()} - left_out
    assert {handler.id for handler in handlers} == {f"watch-{plural}" for plural in expected}


def test_every_kind_has_a_resource():
    assert set(RESOURCES) == set(Kind)
