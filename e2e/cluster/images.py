"""The images of the project: what each is built from, and the key that says when it must be built again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2e.cluster.problem import ProblemError

IGNORED_FOLDERS = {"__pycache__"}
IGNORED_ENDINGS = (".pyc", ".egg-info")


@dataclass(frozen=True)
class Image:
    """An image that can be built.

    Attributes:
        name: The short name used on the command line.
        reference: The name pods use.
        context: The folder it is built from, relative to the checkout; empty for images without one.
        inputs: Files and folders in the context that its content depends on.
        base: The image it is built on, if that is one of ours.
        stage: The stage of its Dockerfile that is slow to build and changes seldom.
        revision: To be raised when the way it is built changes; for images without a context.
    """

    name: str
    reference: str
    context: str = ""
    inputs: Sequence[str] = field(default=())
    base: Image | None = None
    stage: str = ""
    revision: str = "1"


PAUSE = Image("pause", "localhost/pause:1")
PYTHON = Image("python", "localhost/python:3.11-slim")
OPERATOR = Image(
    "operator",
    "localhost/ultra-recovery:dev",
    ".",
    (
        "Dockerfile",
        ".dockerignore",
        "pyproject.toml",
        "requirements.txt",
        "requirements-build.txt",
        "README.md",
        "LICENSE",
        "operator",
    ),
    PYTHON,
    "dependencies",
)
WEB = Image(
    "web", "localhost/ultra-recovery-web:dev", "examples/web/app", ("Dockerfile", "app.py", "repair.py"), PYTHON
)
DATABASES = Image(
    "databases",
    "localhost/ultra-recovery-databases:dev",
    "examples/databases/server",
    ("Dockerfile", "postgres", "pgbouncer", "mariadb", "certificate"),
    PYTHON,
)
ORDERS = Image(
    "orders",
    "localhost/ultra-recovery-orders:dev",
    "examples/databases/app",
    ("Dockerfile", "requirements.txt", "orders.py", "stores.py", "load.py"),
    PYTHON,
    "packages",
)
IMAGES: Mapping[str, Image] = {image.name: image for image in (PAUSE, PYTHON, OPERATOR, WEB, DATABASES, ORDERS)}
# The images of the project, and the variables that name them where a cluster pulls its images.
VARIABLES: Mapping[str, str] = {
    OPERATOR.name: "IMAGE",
    WEB.name: "WEB_IMAGE",
    DATABASES.name: "DATABASES_IMAGE",
    ORDERS.name: "ORDERS_IMAGE",
}
PROJECT = tuple(VARIABLES)


def select(names: Sequence[str]) -> list[Image]:
    """The images with these names.

    Raises:
        ProblemError: A name is not known.
    """
    if unknown := [name for name in names if name not in IMAGES]:
        raise ProblemError(f"no such image: {', '.join(unknown)}", f"the known ones are {', '.join(IMAGES)}")
    return [IMAGES[name] for name in names]


def key_of(image: Image, root: Path) -> str:
    """The content key of an image: it changes when, and only when, something it is built from changes."""
    digest = hashlib.sha256(f"{image.reference} {image.revision}".encode())
    if image.base:
        digest.update(key_of(image.base, root).encode())
    if image.context:
        digest.update(content_hash(root / image.context, image.inputs).encode())
    return digest.hexdigest()[:32]


def content_hash(folder: Path, inputs: Sequence[str]) -> str:
    """A hash of names, executable bits and contents of files; compiled Python does not count."""
    digest = hashlib.sha256()
    for path in sorted(_files(folder, inputs)):
        executable = os.access(path, os.X_OK)
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{executable}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _files(folder: Path, inputs: Sequence[str]) -> Iterator[Path]:
    for name in inputs:
        path = folder / name
        if path.is_file():
            yield path
        for inner in path.rglob("*"):
            parts = inner.relative_to(folder).parts
            ignored = IGNORED_FOLDERS.intersection(parts) or any(part.endswith(IGNORED_ENDINGS) for part in parts)
            if inner.is_file() and not ignored:
                yield inner
