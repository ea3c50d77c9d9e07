"""Argo CD's health checks, run by a real Lua on recorded objects. lua5.1 must be on the PATH."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.gitops.recorded import PROJECT, READINGS, RECORDED, document
from ultra_recovery.apis.kinds import KINDS
from ultra_recovery.apis.run_status import RunPhase

FOLDER = PROJECT / "deploy/argocd"
CHECKS: dict[str, str] = yaml.safe_load((FOLDER / "argocd-cm.yaml").read_text())["data"]


def literal(value: Any) -> str:
    """A value as Lua writes it, by the rules of Argo CD: null is nil, lists begin at 1."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{literal(key)}]={literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(literal(item) for item in value) + "}"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "nil"}[value]
    if isinstance(value, str):
        return '"' + "".join(f"\\{byte:03d}" for byte in value.encode()) + '"'
    return repr(value)


def health(item: dict[str, Any]) -> tuple[str, str]:
    """Status and message that the check of its kind gives for an object."""
    lua = shutil.which("lua5.1")
    assert lua, "lua5.1 is not on the PATH: run `python3 -m e2e.cluster tools lua5.1`"
    check = CHECKS[f"resource.customizations.health.recovery.ultra.dev_{item['kind']}"]
    script = f"obj = {literal(item)}\nlocal function check()\n{check}\nend\n"
    script += 'local hs = check()\nio.write(hs.status .. "\\n" .. (hs.message or ""))\n'
    done = subprocess.run([lua, "-"], input=script, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    status, _, message = done.stdout.partition("\n")
    return status, message


def test_every_kind_has_a_check_and_every_recorded_object_an_answer():
    assert set(CHECKS) == {f"resource.customizations.health.recovery.ultra.dev_{kind.kind}" for kind in KINDS}
    assert set(READINGS) == set(RECORDED)
    phases = {RECORDED[name]["status"].get("phase") for name in RECORDED if name.startswith("run-")}
    assert phases == {None, *RunPhase}


@pytest.mark.parametrize("name", READINGS)
def test_argo_cd_tells_what_is_enforced_from_what_is_not(name: str):
    status, begin = READINGS[name].argo
    found, message = health(document(name))
    assert (found, message[: len(begin)]) == (status, begin)


def test_a_status_of_a_later_version_is_unknown_and_no_error():
    item = {**document("run-running"), "status": {"phase": "Dreaming"}}
    assert health(item) == ("Unknown", "Dreaming")


def test_the_application_heals_itself_and_has_nothing_to_ignore():
    application = yaml.safe_load((FOLDER / "application.yaml").read_text())
    assert application["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    assert "ignoreDifferences" not in application["spec"]
