"""The page of the chart's values is made of the comments of values.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from ultra_recovery.chart_page import chart_pages, documented_values

TEXT = """\
# Not a documentation.
# -- How many. Example: 3.
replicas: 2
image:
  # -- Which | one.
  tag: ""
# -- What it may use.
resources:
  limits: {memory: 1Gi}
"""


def test_each_value_has_its_path_default_and_comment():
    assert documented_values(TEXT) == [
        ("`replicas`", "`2`", "How many. Example: 3."),
        ("`image.tag`", '`""`', "Which | one."),
        ("`resources`", '`{"limits": {"memory": "1Gi"}}`', "What it may use."),
    ]


def test_the_readme_and_the_reference_page_have_the_same_table():
    readme, page = (text.split("| Value |")[1] for text in chart_pages(TEXT).values())
    assert readme == page
    assert set(chart_pages(TEXT)) == {Path("helm/ultra-recovery/README.md"), Path("docs/reference/helm-values.md")}


@pytest.mark.parametrize("text", ["replicas: 2\n", "image:\n  tag: x\n", "# -- Told.\na: 1\nb: {}\n"])
def test_a_value_without_a_comment_is_named(text: str):
    with pytest.raises(ValueError, match=r"the value (replicas|image\.tag|b) has no comment"):
        documented_values(text)
