"""Logs are JSON, one line each."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ultra_recovery.adapters.logs import JsonFormatter, LogSink, configure_logging
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.core.objects import Key, Kind


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root, kopf = logging.getLogger(), logging.getLogger("kopf")
    before = (root.handlers[:], root.level, kopf.level)
    yield io.StringIO()
    root.handlers[:], root.level = before[0], before[1]
    kopf.setLevel(before[2])


def lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def notice(topic: Topic = Topic.EFFECT, **more: Any) -> Notice:
    return Notice(topic, Key(Kind.RUN, "shop", "orders-1-1"), "u", Reason.EVICTED, "100 % done → é", **more)


def test_a_notice_is_one_line_with_all_it_says(output: io.StringIO):
    configure_logging("INFO", output)
    LogSink().publish(notice(labels={"policy": "orders"}, values={"duration": 1.5}))
    (line,) = lines(output)
    line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "ultra_recovery.notices",
        "message": "100 % done → é",
        "topic": "effect",
        "object": "RecoveryRun/shop/orders-1-1",
        "reason": "Evicted",
        "labels": {"policy": "orders"},
        "values": {"duration": 1.5},
    }


@pytest.mark.parametrize(
    ("told", "level"),
    [
        (notice(), "INFO"),
        (notice(warning=True), "WARNING"),
        (notice(Topic.BREAKER_PROBE), "DEBUG"),
        (notice(Topic.BREAKER_PROBE, warning=True), "WARNING"),
    ],
)
def test_the_level_says_how_much_it_matters(output: io.StringIO, told: Notice, level: str):
    configure_logging("debug", output)
    LogSink().publish(told)
    assert [line["level"] for line in lines(output)] == [level]


def test_probes_are_silent_unless_asked_for(output: io.StringIO):
    configure_logging("INFO", output)
    LogSink().publish(notice(Topic.BREAKER_PROBE))
    assert lines(output) == []


def test_kopf_is_heard_only_when_it_warns(output: io.StringIO):
    configure_logging("DEBUG", output)
    logging.getLogger("kopf.objects").info("an event")
    logging.getLogger("kopf.objects").warning("a problem")
    assert [line["message"] for line in lines(output)] == ["a problem"]


def test_an_exception_is_part_of_its_line(output: io.StringIO):
    configure_logging("INFO", output)
    try:
        int("why")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    (line,) = lines(output)
    assert "ValueError" in line["exception"]


def test_extra_fields_never_replace_our_own_and_need_not_be_json():
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", "name": "x", "level": "mine", "what": {1}})
    line = json.loads(JsonFormatter().format(record))
    assert (line["level"], line["level_"], line["what"]) == ("INFO", "mine", "{1}")
