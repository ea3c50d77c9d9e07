"""Whatever a Prometheus answers, judging it never raises, and what is not understood is never a verdict."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ultra_recovery.adapters.http.prometheus import judge
from ultra_recovery.apis.circuit_breaker import PrometheusTarget, ServiceRef
from ultra_recovery.core.probe import Outcome

TARGET = PrometheusTarget(
    service_ref=ServiceRef(name="prometheus", port=9090), query="up", comparison="Below", threshold="0.05"
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
values = st.one_of(
    st.floats().map(str), st.sampled_from(["NaN", "+Inf", "-Inf", "sNaN", "1e999999", "1_0", "", "٣"]), anything
)


@given(st.binary(max_size=200))
def test_bytes_are_never_a_verdict(body: bytes):
    assert judge(body, TARGET)[0] is Outcome.ERROR


@given(anything)
def test_other_json_is_never_a_verdict(answer: Any):
    assert judge(json.dumps(answer).encode(), TARGET)[0] is Outcome.ERROR


@given(
    st.sampled_from(["success", "error", 1]),
    st.sampled_from(["vector", "scalar", "matrix", "string", None]),
    st.lists(st.one_of(st.fixed_dictionaries({"value": st.tuples(st.integers(), values)}), anything), max_size=3)
    | st.tuples(st.integers(), values)
    | anything,
)
def test_an_almost_right_answer_never_raises(status: object, kind: object, result: Any):
    body = json.dumps({"status": status, "data": {"resultType": kind, "result": result}}).encode()
    outcome, _, message = judge(body, TARGET)
    if status != "success" or kind not in ("vector", "scalar"):
        assert outcome is Outcome.ERROR
    assert len(message) < 100


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_a_verdict_is_success_only_if_every_sample_is_right(samples: list[float]):
    result = [{"metric": {}, "value": [1.5, repr(sample)]} for sample in samples]
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
    expected = Outcome.SUCCESS if all(sample < 0.05 for sample in samples) else Outcome.FAILURE
    assert judge(body, TARGET)[0] is expected
