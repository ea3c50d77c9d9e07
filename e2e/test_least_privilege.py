"""After all other tests: the API server's audit log says which rights were used, and which were missing."""

from __future__ import annotations

import pytest

from e2e.audit import read_granted, read_usage, refusals
from e2e.kube import Kube

pytestmark = pytest.mark.local_cluster


def test_no_request_of_ours_was_refused(operator: Kube):
    del operator
    assert read_usage().count > 0, "the audit log has nothing of ours: is it the right one?"
    assert refusals() == []


@pytest.mark.whole_run
def test_every_right_that_is_granted_was_used(operator: Kube, request: pytest.FixtureRequest):
    del operator
    unused = read_granted() - read_usage().used
    # A test that failed may not have come to what it would have used.
    assert sorted(unused) == [], f"{request.session.testsfailed} other tests failed: mend those first"
