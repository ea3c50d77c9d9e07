"""Walks a page as its reader would: one shell, the blocks in their order, in a namespace of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from select import select
from typing import Any

import yaml

from e2e.documents import COMMANDS, PROJECT, Shown, Step, missing, shown
from e2e.install import read
from e2e.kube import Kube, wait_for

MOST_SECONDS = 150.0
"""How long one block may take."""
FOLDERS = ("examples", "crds", "deploy", "helm")
PLACEHOLDERS = {"POLICY": "web", "BREAKER": "inventory", "RUN": "web-1-1", "STEP": "restart", "JOB": "repair"}
NAMESPACES = re.compile(r"(?<![\w$])(shop|ultra-demo|NAMESPACE)\b(?!=)")
"""What pages call the reader's namespace."""
READING = re.compile(r"^kubectl (-n \S+ )?(get|describe)\b")
"""Commands that may be repeated until they show what the page shows."""
BASES: dict[str, dict[str, Any]] = {
    "RecoveryPolicy": {
        "targetRef": {"kind": "Deployment", "name": "web"},
        "triggers": [{"name": "pods", "podUnhealthy": {}}],
        "ladder": [{"name": "restart", "action": {"restartPods": {}}}],
    },
    "CircuitBreaker": {"target": {"tcp": {"serviceRef": {"name": "web", "port": 80}}}},
    "RecoveryRun": {"policyName": "web"},
}
"""What a snippet of a kind is a part of."""
KEYS = {"failureThreshold": "CircuitBreaker", "probe": "CircuitBreaker", "force": "RecoveryRun"}
"""What a snippet is of that has one of these; of a policy otherwise."""


class Shell:
    """A bash that goes on from block to block, so that variables and background jobs do, too."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._count = 0
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        self.run((PROJECT / "e2e/walk.bash").read_text())

    def run(self, script: str) -> str:
        """What a script printed.

        Raises:
            AssertionError: a command of it failed, or it took too long.
        """
        self._count += 1
        text, answer = self._folder / f".{self._count}.sh", self._folder / f".{self._count}.out"
        text.write_text(script + "\n")
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(
            f"broken=; source {text} < /dev/null > {answer} 2>&1; echo \"${{broken//$'\\n'/ }}\"\n".encode()
        )
        self._process.stdin.flush()
        readable, _, _ = select([self._process.stdout], [], [], MOST_SECONDS)
        printed = answer.read_text()
        assert readable, f"not within {MOST_SECONDS:.0f} s:\n{script}\n{printed}"
        broken = self._process.stdout.readline().decode().strip()
        assert not broken, f"{broken!r} failed:\n{printed}"
        return printed

    def close(self) -> None:
        """End it, and what it has left in the background."""
        os.killpg(self._process.pid, 9)
        self._process.communicate()


class Walk:
    """One page, or some that belong together, in one namespace."""

    def __init__(self, kube: Kube, folder: Path) -> None:
        self.kube = kube
        self._folder = folder
        for name in FOLDERS:
            shutil.copytree(PROJECT / name, folder / name)
        for path in (folder / "examples").rglob("*.yaml"):
            path.write_text(read(str(path.relative_to(folder))))
        config = folder / ".kubeconfig"
        shutil.copy(os.environ["KUBECONFIG"], config)
        environment = {**os.environ, "KUBECONFIG": str(config), "NAMESPACE": kube.namespace}
        self._shell = Shell(folder, environment)
        self._shell.run(f"kubectl config set-context --current --namespace={kube.namespace}")

    def close(self) -> None:
        """End the shell."""
        self._shell.close()

    def take(self, steps: list[Step]) -> list[str]:
        """Take all steps; how long each took.

        Raises:
            AssertionError: a step did not go as the page says; the message says which, and how.
        """
        return [self._take(step) for step in steps if not step.reason]

    def _take(self, step: Step) -> str:
        began = time.monotonic()
        try:
            if step.language == "console":
                for entry in shown(NAMESPACES.sub(self.kube.namespace, step.text)):
                    self._show(Shown(self._filled(entry.command), entry.answer))
            elif step.language in (*COMMANDS, "run"):
                self._shell.run(self._filled(step.text))
            else:
                self._read(step)
        except AssertionError as problem:
            raise AssertionError(f"{step}: {problem}") from None
        return f"{time.monotonic() - began:6.1f} s  {step}"

    def _show(self, entry: Shown) -> None:
        """Run a command that the page shows an answer of; one that only reads until it shows it."""
        if READING.match(entry.command):
            wait_for(
                lambda: not missing(entry.answer, self._look(entry.command)),
                f"{entry.command} shows\n" + "\n".join(entry.answer),
                seconds=MOST_SECONDS,
                instead=lambda: self._look(entry.command),
            )
            return
        printed = self._shell.run(entry.command)
        assert missing(entry.answer, printed) == [], f"{entry.command} printed:\n{printed}"

    def _look(self, command: str) -> str:
        """What a command that reads prints, or why it failed: what it reads may not be there yet."""
        try:
            return self._shell.run(command)
        except AssertionError as problem:
            return str(problem)

    def _read(self, step: Step) -> None:
        """A YAML block is accepted by the API server, as it is or as a part of an object."""
        if step.file:
            (self._folder / step.file).write_text(self._filled(step.text))
        for document in yaml.safe_load_all(self._filled(step.text)):
            manifest = yaml.safe_dump(completed(document), sort_keys=False)
            (self._folder / ".read.yaml").write_text(manifest)
            verb = "create" if "generateName" in document.get("metadata", {}) else "apply"
            self._shell.run(f"kubectl {verb} --dry-run=server --validate=strict -f .read.yaml")

    def _filled(self, text: str) -> str:
        """A text of a page with names of this walk in it."""
        text = NAMESPACES.sub(self.kube.namespace, text)
        for name, value in PLACEHOLDERS.items():
            text = re.sub(rf"(?<![\w$]){name}\b(?!=)", value, text)
        return text


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """A whole object: the document itself, or what it is a part of."""
    if "kind" in document:
        return document
    assert set(document) == {"spec"}, "neither a manifest nor a spec of ours: mark it as not run"
    spec = document["spec"]
    kind = next((kind for key, kind in KEYS.items() if key in spec), "RecoveryPolicy")
    return {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "a-part"},
        "spec": {**BASES[kind], **spec},
    }


def tours(pages: dict[str, list[Step]]) -> Iterator[tuple[str, list[Step]]]:
    """Pages that are walked together: each alone, the runbooks as one."""
    runbooks = [step for page, steps in pages.items() if page.startswith("docs/runbooks/") for step in steps]
    yield from ((page, steps) for page, steps in pages.items() if steps and not page.startswith("docs/runbooks/"))
    yield "docs/runbooks", runbooks
