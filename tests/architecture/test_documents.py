"""What e2e/test_documents.py walks: every block has its place, and whatever is not run says why."""

from __future__ import annotations

import pytest

from e2e.documents import PAGES, PROJECT, DocumentError, Step, missing, shown, steps_of

STEPS = [step for page in PAGES for step in steps_of(page)]
NOT_RUN = [step for step in STEPS if step.reason]


@pytest.mark.parametrize("step", NOT_RUN, ids=str)
def test_a_block_that_is_not_run_says_why(step: Step):
    assert len(step.reason.split()) >= 3


def test_most_blocks_are_run():
    blocks = [step for step in STEPS if step.language != "run"]
    assert len(NOT_RUN) * 3 < len(blocks)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_a_block_names_its_language_so_that_none_is_passed_over(page):
    fences = [line for line in page.read_text().splitlines() if line.startswith("```")]
    assert len(fences) % 2 == 0
    assert {line.removeprefix("```") for line in fences[::2]} <= {"sh", "bash", "console", "yaml", "json", "python", ""}


MARKED = [
    pytest.param("<!-- not run: needs a registry -->\nText\n```sh\ntrue\n```\n", "right before", id="text between"),
    pytest.param("<!-- not run: -->\n```sh\ntrue\n```\n", "with words", id="no reason"),
    pytest.param("<!-- skip: needs a registry -->\n```sh\ntrue\n```\n", "a marker is one of", id="unknown"),
    pytest.param("<!-- not run: needs a registry -->\n", "no block behind", id="no block"),
]


@pytest.mark.parametrize(("text", "message"), MARKED)
def test_a_marker_that_would_do_nothing_is_an_error(text: str, message: str, tmp_path, monkeypatch):
    monkeypatch.setattr("e2e.documents.PROJECT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(DocumentError, match=message):
        steps_of(page)


def test_a_console_block_is_commands_with_their_answers():
    text = "$ kubectl get rr\nNAME   AGE\nweb    3s\n$ kubectl \\\n    get cb\nnone\n"
    assert shown(text) == [("kubectl get rr", ["NAME   AGE", "web    3s"]), ("kubectl \\\n    get cb", ["none"])]


ANSWERS = [
    pytest.param("web-1-1   Succeeded   10s", "web-1-1 Succeeded 2m3s", True, id="other blanks and another age"),
    pytest.param(
        "would do: Evict web-78f8f4555c-97cls", "would do: Evict web-5d4c6b7f88-x2zkq", True, id="another pod"
    ),
    pytest.param("pod/web …", "pod/web is anything", True, id="left out"),
    pytest.param("web-1-1   Succeeded   10s", "web-1-1 Failed 10s", False, id="another word"),
    pytest.param("web-1-1   Succeeded", "web-1-2 Succeeded", False, id="another run"),
    pytest.param("web-1-1", "web-1-1 and more", False, id="more behind it"),
]


@pytest.mark.parametrize(("line", "printed", "same"), ANSWERS)
def test_an_answer_is_compared_by_what_does_not_change(line: str, printed: str, same: bool):
    assert (missing([line], f"before\n{printed}\nafter") == []) is same


def test_lines_of_an_answer_come_in_their_order():
    assert missing(["a", "b"], "a\nx\nb") == []
    assert missing(["b", "a"], "a\nx\nb") == ["a"]
