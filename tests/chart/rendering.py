"""Rendering the chart, as data and as text."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
CHART = PROJECT / "helm/ultra-recovery"
NAMESPACE = "recovery"
OLDEST_KUBERNETES = "1.30.0"
_RANDOM = re.compile(r"^(  [\w.-]+: )[A-Za-z0-9+/]{40,}=*$", re.MULTILINE)

Document = Mapping[str, Any]
Values = Mapping[str, Any]


def program(name: str) -> str:
    """The path of a program that `make test` provides."""
    folders = f"{PROJECT / '.cluster/bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which(name, path=folders)
    if found is None:
        pytest.fail(f"{name} is missing: run `python3 -m e2e.cluster tools {name}`, as `make test` does")
    return found


def helm_template(values: Values, *words: str, check: bool = True) -> str:
    """What `helm template` makes of values; with check=False also what it says of an error."""
    command = [program("helm"), "template", "ultra-recovery", str(CHART), "--namespace", NAMESPACE]
    command += ["--kube-version", OLDEST_KUBERNETES, "--values", "-", *words]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=60, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done.stdout if check else done.stdout + done.stderr


def render(values: Values | None = None, *words: str) -> list[Document]:
    """The objects that the chart makes of values."""
    return list(_render(json.dumps(values or {}, sort_keys=True), words))


@functools.cache
def _render(values: str, words: Sequence[str]) -> tuple[Document, ...]:
    return tuple(item for item in yaml.safe_load_all(helm_template(json.loads(values), *words)) if item)


@functools.cache
def _stable(values: str) -> str:
    return _RANDOM.sub(r"\1(generated)", helm_template(json.loads(values)))


def stable_text(values: Values) -> str:
    """The rendered text, with generated tokens masked."""
    return _stable(json.dumps(values, sort_keys=True))


def named(documents: Sequence[Document], kind: str, name: str = "ultra-recovery") -> Document:
    """The one object of a kind and name."""
    (found,) = [item for item in documents if (item["kind"], item["metadata"]["name"]) == (kind, name)]
    return found


def kinds(documents: Sequence[Document]) -> set[str]:
    """The kinds of objects."""
    return {item["kind"] for item in documents}


def containers(documents: Sequence[Document]) -> dict[str, Document]:
    """The containers of the Deployments, by name."""
    deployments = [item for item in documents if item["kind"] == "Deployment"]
    return {
        container["name"]: container
        for item in deployments
        for container in item["spec"]["template"]["spec"]["containers"]
    }


def environment(container: Document) -> dict[str, str]:
    """Variables of a container; one that comes from elsewhere is "<field>"."""
    return {item["name"]: item.get("value", "<field>") for item in container["env"]}


def merged(base: Values, change: Values) -> dict[str, Any]:
    """Values over values, map by map."""
    result = dict(base)
    for name, value in change.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def at(path: str, value: object) -> dict[str, Any]:
    """Values with one value, at a path with dots."""
    result: Any = value
    for name in reversed(path.split(".")):
        result = {name: result}
    found: dict[str, Any] = result
    return found
