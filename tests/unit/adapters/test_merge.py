"""Merge patches."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.core.merge import apply_merge_patch, merge_patch

_SCALARS = st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "b"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.sampled_from("xyz"), _VALUES, max_size=3)


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1}, {}, id="nothing changed"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 2}, id="changed value"),
        pytest.param({"a": 1}, {}, {"a": None}, id="removed key"),
        pytest.param({"a": 1}, {"a": None}, {"a": None}, id="null means absent"),
        pytest.param({}, {"a": None}, {}, id="null for what was absent"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}, id="removed inner key"),
        pytest.param({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1, 3]}, id="lists as a whole"),
        pytest.param({"a": 1}, {"a": True}, {"a": True}, id="true is not one"),
        pytest.param({"a": [1]}, {"a": [True]}, {"a": [True]}, id="nor in a list"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{"b": True}]}, {"a": [{"b": True}]}, id="nor in an object in a list"),
        pytest.param({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}, id="a value becomes an object"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, id="an object becomes empty"),
        pytest.param({}, {"a": {}}, {"a": {}}, id="an empty object appears"),
    ],
)
def test_a_patch_holds_just_the_difference(old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]):
    assert merge_patch(old, new) == patch


@given(old=_DOCUMENTS, new=_DOCUMENTS)
def test_applying_the_difference_gives_the_new_document(old: dict[str, Any], new: dict[str, Any]):
    assert repr(_sorted(apply_merge_patch(old, merge_patch(old, new)))) == repr(_sorted(new))


@given(document=_DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, Any]):
    assert merge_patch(document, document) == {}


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
