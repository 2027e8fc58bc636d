"""Every example of the page on pipelines is understood, and its edits can be applied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from heliodor.documents.apply import apply
from heliodor.documents.facts import GROUPS, PLAN
from heliodor.documents.parse import parse
from heliodor.documents.walk import walk
from heliodor.documents.when import parse_condition
from heliodor.documents.yaml import Place, load
from heliodor.layers import LAYERS

PAGE = (Path(__file__).parents[3] / "docs" / "pipelines.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
PIPELINE = next(example for example in EXAMPLES if example.startswith("name:"))


def starting(word):
    return [example for example in EXAMPLES if example.startswith(word)]


def test_all_examples_are_of_a_kind_that_is_tested():
    tested = [*starting("name:"), *starting("extends:"), *starting("- "), *starting("when:")]
    assert sorted(tested) == sorted(EXAMPLES)


def test_the_pipeline():
    document = parse(PIPELINE, "pipelines.md")
    found = list(walk(document, {"INSTRUME": "NIRCAM", "stage": 1}))
    assert sum(use.runs is True for use in found) == 13


@pytest.mark.parametrize("example", starting("name:"))
def test_whole_pipelines(example):
    assert list(walk(parse(example, "pipelines.md"), {"INSTRUME": "NIRCAM", "stage": 1}))


@pytest.mark.parametrize("example", starting("extends:"))
def test_edits(example):
    result = apply(parse(PIPELINE, "pipelines.md"), parse(example, "my.yaml", "user file"))
    assert result.edits
    assert list(walk(result, {"INSTRUME": "NIRCAM", "stage": 1}))


@pytest.mark.parametrize("example", starting("- "))
def test_nodes(example):
    assert parse(f"name: p\nsteps:\n{example}", "pipelines.md").steps


@pytest.mark.parametrize("example", starting("when:"))
def test_conditions(example):
    assert parse_condition(load(example, "pipelines.md")["when"], Place("pipelines.md", 1))


def test_the_page_names_all_there_is_to_ask():
    for name in (*GROUPS.keys() - {"engine", "slits", "sources"}, *PLAN):
        assert re.search(rf"`{name}[.`]", PAGE), name


def test_the_page_counts_the_layers():
    assert len(re.findall(r"^\d\. ", PAGE, re.MULTILINE)) == len(LAYERS)
