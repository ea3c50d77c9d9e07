"""Options of the drill."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ultra_recovery.settings import DrillSettings, SettingsError

LEAST = {"ULTRA_NAMESPACE": "ops", "ULTRA_DRILL_IMAGE": "ours:1"}


def test_the_least_that_must_be_said():
    settings = DrillSettings.read(LEAST)
    assert (settings.namespace, settings.image, settings.pull_policy) == ("ops", "ours:1", "IfNotPresent")
    assert (settings.name, settings.within, settings.pull_secrets) == ("ultra-recovery-drill", 60.0, ())


def test_secrets_for_pulling_are_a_list():
    assert DrillSettings.read({**LEAST, "ULTRA_DRILL_PULL_SECRETS": "one, two"}).pull_secrets == ("one", "two")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param({"ULTRA_DRILL_IMAGE": ""}, "ULTRA_DRILL_IMAGE must name the image", id="no image"),
        pytest.param({"ULTRA_DRILL_WITHIN": "5"}, "from 10 to 600 seconds, not 5", id="too short"),
        pytest.param({"ULTRA_DRILL_WITHIN": "601"}, "from 10 to 600 seconds, not 601", id="too long"),
        pytest.param({"ULTRA_DRILL_WITHIN": "soon"}, "ULTRA_DRILL_WITHIN must be a whole number", id="no number"),
    ],
)
def test_a_wrong_value_is_named(wrong: Mapping[str, str], words: str):
    with pytest.raises(SettingsError, match=words):
        DrillSettings.read({**LEAST, **wrong})
