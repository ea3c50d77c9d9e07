"""What the ladder of a RecoveryPolicy may say, and what the API server answers when it says something else."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.integration.manifests.rows import GONE, Bad, Good
from tests.specs import SPECS

bad = partial(Bad, "RecoveryPolicy")
good = partial(Good, "RecoveryPolicy")
STEP = "spec.ladder[0]"
ACTION = f"{STEP}.action"
JOB, HOOK, NOTIFY, WEBHOOK = (f"{ACTION}.{name}" for name in ("runJob", "callHook", "notify", "notify.webhook"))
FIT = "raise limits.timeout or shorten the steps"
ONE = "set exactly one kind of action: restartPods, runJob, callHook, notify, reconnectDatabase"
REPAIRS = "a step of class DependencyRepair names the breaker of the dependency that it repairs"
SERVICE = {"name": "web", "port": 8080}
TELLS = "a notify step passes every gate and asks nobody: remove approval and allowWhileOpen"
UNDO = {"cronJobName": "repair", "undo": {"cronJobName": "restore"}}


def step(name: str, **fields: object) -> dict[str, Any]:
    """A step that restarts pods."""
    return {"name": name, "action": {"restartPods": {}}, **fields}


def acts(kind: str, action: dict[str, object], **fields: object) -> list[dict[str, Any]]:
    """A ladder of one step with this action; fields of it may be left out."""
    kept = {name: value for name, value in action.items() if value is not GONE}
    return [{"name": "act", "action": {kind: kept}, **fields}]


def job(**fields: object) -> list[dict[str, Any]]:
    """A ladder that runs a Job."""
    return acts("runJob", {"cronJobName": "repair", **fields})


def hook(**fields: object) -> list[dict[str, Any]]:
    """A ladder that calls a hook."""
    return acts("callHook", {"serviceRef": SERVICE, **fields})


def webhook(**fields: object) -> list[dict[str, Any]]:
    """A ladder that tells people."""
    full = {"serviceRef": SERVICE, **fields}
    return acts("notify", {"webhook": {name: value for name, value in full.items() if value is not GONE}})


def allowing(breaker: str, *, depends: bool = True, **fields: object) -> dict[str, Any]:
    """A whole spec whose step is allowed while a breaker is open."""
    ladder = [step("restart", allowWhileOpen=[{"breaker": breaker, **fields}])]
    return {**SPECS["RecoveryPolicy"], "ladder": ladder, "dependencies": [{"breaker": "db"}] if depends else []}


BAD = [
    bad("ladder", GONE, "spec.ladder", "Required value"),
    bad("ladder", [], "spec.ladder", "should have at least 1 items"),
    bad("ladder", [step(f"s{n}", timeout="1s") for n in range(17)], "spec.ladder", "must have at most 16 items"),
    bad("ladder.1", step("restart"), "spec.ladder", "every step needs a name of its own"),
    bad("ladder.0.name", GONE, f"{STEP}.name", "Required value"),
    bad("ladder.0.action", GONE, ACTION, "Required value"),
    bad("ladder.0.action", {}, ACTION, ONE),
    bad("ladder.0.action.notify", {}, ACTION, ONE),
    bad("ladder.0.action.rebootNode", {}, f"{ACTION}.rebootNode", "unknown field"),
    bad("ladder.0.action.restartPods.pods", "Some", f"{ACTION}.restartPods.pods", '"Unhealthy", "Offending", "All"'),
    bad("ladder.0.timeout", "0s", f"{STEP}.timeout", "from 1s to 1h"),
    bad("ladder.0.timeout", "1 minute", f"{STEP}.timeout", "from 1s to 1h"),
    bad("ladder.0.timeout", "281s", "spec.limits.timeout", FIT),
    bad("ladder", [step(f"s{n}") for n in range(4)], "spec.limits.timeout", FIT),
    bad("ladder", acts("runJob", UNDO, timeout="141s"), "spec.limits.timeout", "timeout twice for runJob with undo"),
    bad("ladder", acts("notify", {}, timeout="301s"), "spec.limits.timeout", FIT),
    bad("ladder.0.onError", "Abort", f"{STEP}.onError", 'supported values: "Continue", "Stop"'),
    bad("ladder.0.approval", {"required": "yes"}, f"{STEP}.approval.required", "must be of type boolean"),
    bad("ladder.0.approval", {"within": "25h"}, f"{STEP}.approval.within", "from 1s to 24h"),
    bad("ladder.0.approval", {"within": "0s"}, f"{STEP}.approval.within", "from 1s to 24h"),
    bad("ladder.0.approval", True, f"{STEP}.approval", "must be of type object"),
    bad("ladder", acts("notify", {}, approval={}), STEP, TELLS),
    bad("", allowing("db", depends=False), "spec.ladder", "not in spec.dependencies: add it there or remove it here"),
    bad("", allowing("cache"), "spec.ladder", "not in spec.dependencies: add it there or remove it here"),
    bad("", allowing("Db"), f"{STEP}.allowWhileOpen[0].breaker", "lower-case letters, digits, '-' and '.'"),
    bad("", allowing("db", reasons=["Probe failed"]), f"{STEP}.allowWhileOpen[0].reasons[0]", "such as ProbeFailed"),
    bad("", allowing("db", reasons=["probeFailed"]), f"{STEP}.allowWhileOpen[0].reasons[0]", "such as ProbeFailed"),
    bad("", allowing("db", reasons=["A", "A"]), f"{STEP}.allowWhileOpen[0].reasons[1]", "Duplicate value"),
    bad("", allowing("db", reasons=list("ABCDE")), f"{STEP}.allowWhileOpen[0].reasons", "at most 4 items"),
    bad("", allowing("db", reasons="ProbeFailed"), f"{STEP}.allowWhileOpen[0].reasons", "must be of type array"),
    bad("ladder.0.allowWhileOpen", [{}], f"{STEP}.allowWhileOpen[0].breaker", "Required value"),
    bad("ladder.0.allowWhileOpen", [{"breaker": "db"}] * 2, f"{STEP}.allowWhileOpen[1]", "Duplicate value"),
    bad(
        "ladder.0.allowWhileOpen",
        [{"breaker": f"b{number}"} for number in range(5)],
        f"{STEP}.allowWhileOpen",
        "must have at most 4 items",
    ),
    bad("ladder", job(cronJobName=GONE), f"{JOB}.cronJobName", "Required value"),
    bad("ladder", job(cronJobName="Repair!"), f"{JOB}.cronJobName", "lower-case letters, digits, '-' and '.'"),
    bad("ladder", job(**{"class": "Harmless"}), f"{JOB}.class", '"Disruptive", "Rollout", "DependencyRepair"'),
    bad("ladder", job(**{"class": "Notify"}), f"{JOB}.class", "supported values"),
    bad("ladder", job(**{"class": "DependencyRepair"}), f"{JOB}.breaker", REPAIRS),
    bad("ladder", job(breaker="DB"), f"{JOB}.breaker", "lower-case letters, digits, '-' and '.'"),
    bad("ladder", job(undo={}), f"{JOB}.undo.cronJobName", "Required value"),
    bad("ladder", job(undo={"cronJobName": ""}), f"{JOB}.undo.cronJobName", "should be at least 1 chars long"),
    bad("ladder", job(image="busybox"), f"{JOB}.image", "unknown field"),
    bad("ladder", job(namespace="other"), f"{JOB}.namespace", "unknown field"),
    bad("ladder", hook(serviceRef=GONE), HOOK, "set exactly one of serviceRef (a Service of this namespace) and url"),
    bad("ladder", hook(url="https://a.example"), HOOK, "set exactly one of serviceRef"),
    bad("ladder", hook(serviceRef=GONE, url="a.example/hook"), f"{HOOK}.url", "an absolute http or https address"),
    bad("ladder", hook(serviceRef=GONE, url="file:///etc/passwd"), f"{HOOK}.url", "an absolute http or https address"),
    bad("ladder", hook(serviceRef=GONE, url="https://me:pw@a.example"), f"{HOOK}.url", "without user, password or"),
    bad("ladder", hook(serviceRef=GONE, url="https://a/" + "x" * 1024), f"{HOOK}.url", "may not be more than 1024"),
    bad("ladder", hook(serviceRef=GONE, url="https://a", path="/x"), f"{HOOK}.path", "write the path into url instead"),
    bad("ladder", hook(serviceRef={"name": "web"}), f"{HOOK}.serviceRef.port", "Required value"),
    bad("ladder", hook(serviceRef={"name": "web", "port": 0}), f"{HOOK}.serviceRef.port", "greater than or equal to"),
    bad("ladder", hook(serviceRef={"name": "db.other", "port": 1}), f"{HOOK}.serviceRef.name", "lower-case letters"),
    bad("ladder", hook(path="reset"), f"{HOOK}.path", "must start with '/' and contain neither spaces nor '#'"),
    bad("ladder", hook(method="GET"), f"{HOOK}.method", 'supported values: "POST", "PUT"'),
    bad("ladder", hook(scheme="http"), f"{HOOK}.scheme", 'supported values: "HTTP", "HTTPS"'),
    bad("ladder", hook(timeout="31s"), f"{HOOK}.timeout", "from 1s to 30s"),
    bad("ladder", hook(timeout="0s"), f"{HOOK}.timeout", "from 1s to 30s"),
    bad(
        "ladder", acts("callHook", {"serviceRef": SERVICE}, timeout="4s"), f"{STEP}.timeout", "raise the step's timeout"
    ),
    bad("ladder", hook(idempotent="true"), f"{HOOK}.idempotent", "must be of type boolean"),
    bad("ladder", hook(**{"class": "DependencyRepair"}), f"{HOOK}.breaker", REPAIRS),
    bad("ladder", hook(headers={"Authorization": "x"}), f"{HOOK}.headers", "unknown field"),
    bad("ladder", acts("notify", {"message": "x" * 513}), f"{NOTIFY}.message", "may not be more than 512"),
    bad("ladder", acts("notify", {"severity": "Panic"}), f"{NOTIFY}.severity", '"Info", "Warning", "Critical"'),
    bad("ladder", webhook(serviceRef=GONE), WEBHOOK, "set exactly one of serviceRef (a Service of this namespace)"),
    bad("ladder", webhook(url="https://a.example"), WEBHOOK, "set exactly one of serviceRef"),
    bad("ladder", webhook(serviceRef=GONE, url="mailto:me@a.example"), f"{WEBHOOK}.url", "an absolute http or https"),
    bad("ladder", webhook(method="PUT"), f"{WEBHOOK}.method", "unknown field"),
]

GOOD = [
    good("ladder.0.timeout", "280s"),
    good("ladder", [step(f"s{number}", timeout="1s") for number in range(14)]),
    good("ladder", acts("runJob", UNDO, timeout="140s")),
    good("ladder", acts("notify", {"message": "x" * 512, "severity": "Critical"}, timeout="300s")),
    good("ladder", job(breaker="db", **{"class": "DependencyRepair"})),
    good("ladder", job(cronJobName="a" * 253, **{"class": "Rollout"})),
    good("ladder", hook(method="PUT", path="/reset?pool=1", timeout="30s", idempotent=True)),
    good("ladder", hook(serviceRef=GONE, url="https://hooks.example.com/reset?pool=1", timeout="1s")),
    good("ladder", acts("callHook", {"serviceRef": SERVICE, "timeout": "10s"}, timeout="10s")),
    good("ladder", webhook(path="/alerts", scheme="HTTPS")),
    good("ladder.0.onError", "Stop"),
    good("ladder.0.approval", {}),
    good("ladder.0.approval", {"required": False, "within": "24h"}),
    good("", allowing("db")),
    good("", allowing("db", reasons=["ProbeFailed", "Exhausted"])),
]
