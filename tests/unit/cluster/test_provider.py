"""Which cluster is chosen, and which is refused."""

from __future__ import annotations

import pytest

from e2e.cluster.current import CurrentCluster, references
from e2e.cluster.problem import ProblemError
from e2e.cluster.provider import ProviderName, choose


def engine(answers: bool):
    return lambda: answers


@pytest.mark.parametrize(
    ("requested", "context", "recorded", "docker", "expected"),
    [
        pytest.param("auto", "staging", None, True, "current", id="a named context wins over everything found"),
        pytest.param("auto", "staging", "local", True, "current", id="a named context wins over the recorded one"),
        pytest.param("auto", None, None, True, "kind", id="an engine that answers gives kind"),
        pytest.param("auto", None, None, False, "local", id="without an engine it is local"),
        pytest.param("auto", None, "local", True, "local", id="the cluster that is already up is kept"),
        pytest.param("auto", None, "nonsense", True, "kind", id="an unreadable record counts as none"),
        pytest.param("", None, None, False, "local", id="an empty request means auto"),
        pytest.param("local", "staging", "kind", True, "local", id="a request wins over the context"),
        pytest.param("kind", None, "local", False, "kind", id="a request wins over the record"),
        pytest.param("current", "staging", None, False, "current", id="current with its context"),
    ],
)
def test_the_provider_is_chosen_from_request_context_record_and_engine(requested, context, recorded, docker, expected):
    choice = choose(requested, context, recorded, engine(docker))

    assert choice.provider is ProviderName(expected)
    assert choice.reason


def test_the_engine_is_asked_only_when_its_answer_matters():
    def never() -> bool:
        raise AssertionError("asked")

    assert choose("local", None, None, never).provider is ProviderName.LOCAL
    assert choose("auto", "staging", None, never).provider is ProviderName.CURRENT


def test_a_context_that_nobody_named_is_refused():
    with pytest.raises(ProblemError, match="KUBE_CONTEXT"):
        choose("current", None, None, engine(True))


def test_an_unknown_provider_is_refused_with_the_known_ones():
    with pytest.raises(ProblemError, match="auto, current, kind, local"):
        choose("minikube", None, None, engine(True))


def test_images_for_a_foreign_cluster_come_from_the_user():
    given = {"IMAGE": "registry.test/operator:1", "WEB_IMAGE": "registry.test/web:1"}

    assert references(["operator", "web"], given) == {"operator": given["IMAGE"], "web": given["WEB_IMAGE"]}


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param({}, "IMAGE to the image built from Dockerfile; WEB_IMAGE to", id="both"),
        pytest.param({"WEB_IMAGE": "a"}, "set IMAGE to the image built from Dockerfile$", id="the other"),
        pytest.param({"IMAGE": "a"}, "WEB_IMAGE to the image built from examples/web/app/Dockerfile", id="one"),
    ],
)
def test_a_missing_image_for_a_foreign_cluster_is_explained(given, missing):
    with pytest.raises(ProblemError, match=missing):
        references(["operator", "web"], given)


def test_a_foreign_cluster_is_never_taken_down(console, output):
    CurrentCluster("staging", {}, console).down()

    assert "is not ours" in output.getvalue()
