"""An image is built again when, and only when, something it is built from changed."""

from __future__ import annotations

import pytest

from e2e.cluster.images import IMAGES, OPERATOR, PROJECT, PYTHON, Image, content_hash, key_of, select
from e2e.cluster.layout import Checkout
from e2e.cluster.problem import ProblemError

INPUTS = ("Dockerfile", "code")


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "code/inner").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "code/a.py").write_text("a = 1\n")
    (tmp_path / "code/inner/b.py").write_text("b = 2\n")
    return tmp_path


def _touch(tree):
    (tree / "code/a.py").write_text("a = 1\n")


def _compile(tree):
    (tree / "code/__pycache__").mkdir()
    (tree / "code/__pycache__/a.cpython-311.pyc").write_bytes(b"x")


def _install(tree):
    (tree / "code/thing.egg-info").mkdir()
    (tree / "code/thing.egg-info/PKG-INFO").write_text("x")


def _outside(tree):
    (tree / "notes.txt").write_text("x")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_touch, id="a file is written again with the same content"),
        pytest.param(_compile, id="Python compiled something"),
        pytest.param(_install, id="the package was installed editable"),
        pytest.param(_outside, id="a file that is no input appears"),
    ],
)
def test_the_hash_stays_when(tree, change):
    before = content_hash(tree, INPUTS)
    change(tree)

    assert content_hash(tree, INPUTS) == before


def _edit(tree):
    (tree / "code/inner/b.py").write_text("b = 3\n")


def _add(tree):
    (tree / "code/c.py").write_text("")


def _remove(tree):
    (tree / "code/a.py").unlink()


def _rename(tree):
    (tree / "code/a.py").rename(tree / "code/z.py")


def _permit(tree):
    (tree / "code/a.py").chmod(0o755)


def _shift(tree):
    (tree / "code/a.py").write_text("a = 1\nb = 2\n")
    (tree / "code/inner/b.py").write_text("")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_edit, id="a file is edited"),
        pytest.param(_add, id="an empty file is added"),
        pytest.param(_remove, id="a file is removed"),
        pytest.param(_rename, id="a file is renamed"),
        pytest.param(_permit, id="a file becomes executable"),
        pytest.param(_shift, id="content moves from one file to the next"),
    ],
)
def test_the_hash_changes_when(tree, change):
    before = content_hash(tree, INPUTS)
    change(tree)

    assert content_hash(tree, INPUTS) != before


def test_a_new_base_image_means_a_new_key(tree):
    old = Image("web", "localhost/web:dev", ".", INPUTS, Image("python", "localhost/python:1"))
    new = Image("web", "localhost/web:dev", ".", INPUTS, Image("python", "localhost/python:1", revision="2"))

    assert key_of(old, tree) != key_of(new, tree)


def test_every_input_of_the_operator_image_may_enter_its_build():
    allowed = (Checkout.here().root / ".dockerignore").read_text().splitlines()
    described = ("Dockerfile", ".dockerignore")

    assert [
        name for name in OPERATOR.inputs if name not in described and not {f"!{name}", f"!{name}/"} & set(allowed)
    ] == []


def test_names_select_images_and_unknown_ones_are_refused():
    assert select(["python"]) == [PYTHON]
    assert set(PROJECT) < set(IMAGES)
    with pytest.raises(ProblemError, match="no such image: nope"):
        select(["python", "nope"])


@pytest.mark.parametrize("name", PROJECT)
def test_every_input_of_an_image_exists(name):
    folder = Checkout.here().root / IMAGES[name].context

    assert [name for name in IMAGES[name].inputs if not (folder / name).exists()] == []
