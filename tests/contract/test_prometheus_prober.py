"""The Prometheus prober against a real server that speaks the query API as Prometheus does, word for word."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web

from tests.contract.http_stage import CANARY, SHORT, Answer, Stage, held, status
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError
from ultra_recovery.core.probe import Outcome

TIME = "1767225600.123"
NONE = '{"status":"success","data":{"resultType":"vector","result":[]}}'


def vector(*values: str) -> str:
    items = ",".join(f'{{"metric":{{"job":"{CANARY}"}},"value":[{TIME},"{value}"]}}' for value in values)
    return f'{{"status":"success","data":{{"resultType":"vector","result":[{items}]}}}}'


def scalar(value: str) -> str:
    return f'{{"status":"success","data":{{"resultType":"scalar","result":[{TIME},"{value}"]}}}}'


def answer(text: str, code: int = 200) -> Answer:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(status=code, text=text, content_type="application/json")

    return respond


@pytest.mark.parametrize(
    ("text", "comparison", "threshold", "outcome"),
    [
        pytest.param(vector("0.04"), "Below", "0.05", Outcome.SUCCESS, id="below"),
        pytest.param(vector("0.05"), "Below", "0.05", Outcome.FAILURE, id="not below itself"),
        pytest.param(vector("0.05"), "AtMost", "0.05", Outcome.SUCCESS, id="at most itself"),
        pytest.param(vector("0.050000000000000001"), "AtMost", "0.05", Outcome.FAILURE, id="compared as decimals"),
        pytest.param(vector("1"), "Above", "0", Outcome.SUCCESS, id="above"),
        pytest.param(vector("0"), "Above", "0", Outcome.FAILURE, id="not above itself"),
        pytest.param(vector("0"), "AtLeast", "0", Outcome.SUCCESS, id="at least itself"),
        pytest.param(vector("-0.5"), "Below", "-0.1", Outcome.SUCCESS, id="negative"),
        pytest.param(vector("1e+06"), "Above", "999999", Outcome.SUCCESS, id="with an exponent"),
        pytest.param(vector("+Inf"), "Below", "1", Outcome.FAILURE, id="infinite"),
        pytest.param(vector("-Inf"), "Below", "1", Outcome.SUCCESS, id="infinite, downwards"),
        pytest.param(vector("1", "2", "3"), "Below", "4", Outcome.SUCCESS, id="every sample"),
        pytest.param(vector("1", "9", "3"), "Below", "4", Outcome.FAILURE, id="all but one sample"),
        pytest.param(scalar("7"), "AtLeast", "7", Outcome.SUCCESS, id="a scalar"),
    ],
)
async def test_every_sample_is_compared(stage: Stage, text: str, comparison: str, threshold: str, outcome: Outcome):
    stage.publish(await stage.serve(answer(text)))
    result = await stage.ask(comparison=comparison, threshold=threshold)
    assert result.outcome is outcome
    assert f"{comparison} {threshold}" in result.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(NONE, Reason.NO_DATA, id="no sample"),
        pytest.param(vector("NaN"), Reason.NO_DATA, id="NaN"),
        pytest.param(vector("0", "NaN"), Reason.NO_DATA, id="one NaN among others"),
        pytest.param(scalar("NaN"), Reason.NO_DATA, id="a scalar NaN"),
        pytest.param("", Reason.PROBE_ERROR, id="nothing"),
        pytest.param(CANARY, Reason.PROBE_ERROR, id="no JSON"),
        pytest.param("[" * 60_000, Reason.PROBE_ERROR, id="deep JSON"),
        pytest.param("[]", Reason.PROBE_ERROR, id="a list"),
        pytest.param("null", Reason.PROBE_ERROR, id="null"),
        pytest.param('{"status":"success"}', Reason.PROBE_ERROR, id="no data field"),
        pytest.param(
            '{"status":"error","errorType":"timeout","error":"x"}', Reason.PROBE_ERROR, id="an error with 200"
        ),
        pytest.param(vector("0").replace("vector", "matrix"), Reason.PROBE_ERROR, id="a range vector"),
        pytest.param(scalar("x").replace("scalar", "string"), Reason.PROBE_ERROR, id="a string"),
        pytest.param(vector("0").replace('"value"', '"histogram"'), Reason.PROBE_ERROR, id="a native histogram"),
        pytest.param(vector("zero"), Reason.PROBE_ERROR, id="no number"),
        pytest.param(vector("0").replace('"0"', "0"), Reason.PROBE_ERROR, id="a number that is no text"),
        pytest.param(scalar("0").replace(f'[{TIME},"0"]', '"00"'), Reason.PROBE_ERROR, id="a sample that is a text"),
    ],
)
async def test_an_answer_without_a_number_is_an_error_that_counts_neither_way(stage: Stage, text: str, reason: Reason):
    stage.publish(await stage.serve(answer(text)))
    result = await stage.ask()
    assert (result.outcome, result.reason) == (Outcome.ERROR, reason)
    assert CANARY not in result.message


@pytest.mark.parametrize("code", [301, 302, 401, 403, 404, 422, 429, 500, 503])
async def test_an_error_answer_of_prometheus_says_nothing_about_the_target(stage: Stage, code: int):
    stage.publish(await stage.serve(status(code)))
    result = await stage.ask()
    assert (result.outcome, result.message) == (Outcome.ERROR, f"Prometheus answered {code}")
    assert len(stage.requests) == 1


async def test_a_query_that_prometheus_cannot_read_is_the_users_mistake(stage: Stage):
    text = '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:1: parse error"}'
    stage.publish(await stage.serve(answer(text, 400)))
    with pytest.raises(SpecError) as caught:
        await stage.ask()
    assert caught.value.reason is Reason.TARGET_INVALID
    assert "parse error" not in str(caught.value)


@pytest.mark.failure(
    of="Dependency",
    what="The Prometheus that a breaker asks is down",
    see="`TargetHealthy` is `Unknown`; the breaker does not move",
    bound="`probe.timeout`",
)
async def test_prometheus_that_is_down_or_slow_or_gone_is_an_error_not_a_failure(stage: Stage):
    with pytest.raises(SpecError, match="does not exist"):
        await stage.ask()
    async with held() as never:
        stage.publish(await stage.serve(never))
        result = await stage.ask(SHORT)
        assert (result.outcome, result.message) == (Outcome.ERROR, "Prometheus: no answer within 0.3 s")
    stage.names["prometheus.example.com"] = [["127.0.0.1"]]
    result = await stage.ask(url="http://prometheus.example.com:1")
    assert (result.outcome, result.message) == (Outcome.ERROR, "Prometheus: connection refused or not reachable")


async def test_without_a_ready_pod_nothing_is_known(stage: Stage):
    stage.publish(1, addresses=())
    assert (await stage.ask()).outcome is Outcome.ERROR


async def test_an_answer_above_the_bound_is_an_error_and_is_not_read_to_its_end(stage: Stage):
    stage.publish(await stage.serve(answer(vector(*["0"] * 5000))))
    result = await stage.ask()
    assert result.outcome is Outcome.ERROR
    assert "more than 64 KiB" in result.message


@pytest.mark.parametrize(
    ("target", "path"),
    [
        pytest.param({}, "/api/v1/query", id="a Service"),
        pytest.param({"path": "/prometheus"}, "/prometheus/api/v1/query", id="a prefix"),
        pytest.param({"path": "/prometheus/"}, "/prometheus/api/v1/query", id="a prefix with a slash"),
    ],
)
async def test_the_request_is_an_instant_query_and_nothing_more(stage: Stage, target: dict[str, str], path: str):
    query = 'sum(rate(errors_total{job="a&b#c"}[1m])) / 100 > 0'
    stage.publish(await stage.serve(answer(vector("0"))))
    assert (await stage.ask(query=query, **target)).outcome is Outcome.SUCCESS
    (request,) = stage.requests
    assert (request.method, request.path, dict(request.query)) == ("GET", path, {"query": query})
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Authorization" not in request.headers
    assert "Cookie" not in request.headers


async def test_a_url_has_its_path_before_the_api(stage: Stage):
    port = await stage.serve(answer(vector("0")))
    stage.names["prometheus.example.com"] = [["127.0.0.1"]]
    await stage.ask(url=f"http://prometheus.example.com:{port}/p/")
    assert stage.requests[0].path == "/p/api/v1/query"


async def test_a_url_that_is_not_allowed_is_refused_and_its_field_is_named(stage: Stage):
    with pytest.raises(SpecError) as caught:
        await stage.ask(url="http://prometheus.other.org")
    assert caught.value.reason is Reason.TARGET_NOT_ALLOWED
    with pytest.raises(SpecError, match=r"spec\.target\.prometheus\.url"):
        await stage.ask(url="http://prometheus.example.com:0/")


async def test_nothing_of_the_answer_appears_in_the_result_or_in_a_log(stage: Stage, caplog: pytest.LogCaptureFixture):
    stage.publish(await stage.serve(answer(vector("12345.678"))))
    with caplog.at_level(logging.DEBUG):
        result = await stage.ask()
    assert result.outcome is Outcome.FAILURE
    for text in (CANARY, "12345"):
        assert text not in repr(result)
        assert text not in caplog.text
