"""What README and docs/ tell their readers to type works, and shows what they say that it shows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from e2e.audit import PROVOKED, Refusal
from e2e.documents import PAGES, PROJECT, steps_of
from e2e.install import OPERATOR_NAMESPACE, make_namespace
from e2e.kube import Kube
from e2e.records import outcome
from e2e.walk import Walk, tours

AT_A_TIME = 2
TOURS = dict(tours({str(page.relative_to(PROJECT)): steps_of(page) for page in PAGES}))
WALKED = [name for name, steps in TOURS.items() if any(not step.reason for step in steps)]
TUTORIAL = "docs/tutorial/first-policy.md"
OWN_POLICY = "inventory"
OPERATOR = f"system:serviceaccount:{OPERATOR_NAMESPACE}:ultra-recovery"


@pytest.fixture(scope="module")
def walks(
    operator: Kube, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Walk]]]:
    """All pages that were asked for, two at a time, each in a namespace of its own that stays to the end."""
    del operator
    wanted = [
        item.callspec.params["page"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and item.path == request.path
    ]
    wanted += [] if TUTORIAL in wanted else [TUTORIAL]
    walked: list[Walk] = []

    def walk(name: str) -> Walk:
        kube = make_namespace(f"doc-{re.sub('[^a-z]+', '-', Path(name).stem.lower())[:20]}-{uuid.uuid4().hex[:4]}")
        # Pages on databases declare a breaker before the Role that lets the operator read its Secret, which the
        # breaker's message then prints.
        PROVOKED.add(Refusal(OPERATOR, ("", "secrets", "get"), kube.namespace))
        here = Walk(kube, tmp_path_factory.mktemp("walk"))
        walked.append(here)
        print("\n".join(here.take(TOURS[name])))
        return here

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        yield {name: pool.submit(walk, name) for name in wanted}
        pool.shutdown(cancel_futures=True)
    for one in walked:
        one.close()
        one.kube.run("delete", "namespace", one.kube.namespace, "--wait=false", "--ignore-not-found")


@pytest.mark.parametrize("page", WALKED)
def test_what_a_page_tells_its_readers_to_type_works(page: str, walks: dict[str, Future[Walk]]):
    walks[page].result()


def test_a_newcomer_ends_with_a_policy_of_their_own_whose_run_succeeded(walks: dict[str, Future[Walk]]):
    kube = walks[TUTORIAL].result().kube
    (run,) = [item for item in kube.list("rr") if item["spec"]["policyName"] == OWN_POLICY]
    assert outcome(run) == ("Succeeded", "Verified")
