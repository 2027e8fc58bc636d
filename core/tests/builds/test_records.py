"""Documents of builds: what is read, and how mistakes are told."""

from __future__ import annotations

import pytest
from heliodor.builds.records import parse, version
from heliodor.documents.nodes import Move, Set
from heliodor.errors import PipelineError

BUILD = """
builds:
  - name: "9.3"
    jwst: 1.11.4
    status: Archived
"""
CHANGE = """
changes:
  - jwst: 1.16.0
    kind: default
    step: jump
    what: it became 4
    before: [{set: {jump.rejection_threshold: 5}}]
"""


def build(more=""):
    return parse(BUILD + more, "builds.yaml").builds[0]


def change(text=CHANGE):
    return parse(text, "builds.yaml").changes[0]


def test_a_build_that_is_hardly_known():
    bare = build()
    assert (bare.name, bare.jwst, bare.status) == ("9.3", "1.11.4", "Archived")
    assert (bare.sdp, bare.operations, bare.context, bare.crds_fixed) == ("", "", "", False)


def test_a_build_that_is_known_well():
    known = build(
        "    sdp: 2023.2.1\n    operations: 2023-08-24\n    crds: 984\n    crds_fixed: true\n"
        "    page: {crds: TBD}\n    releases: [1.11.0, 1.11.4]\n    needs: {gwcs: 0.21.0}\n"
    )
    assert known.context == "jwst_0984.pmap"
    assert known.operations == "2023-08-24"
    assert known.releases == ("1.11.0", "1.11.4")
    assert (known.page, known.needs) == ({"crds": "TBD"}, {"gwcs": "0.21.0"})


def test_versions_are_compared_as_numbers():
    assert version("1.9.6") < version("1.11.0") < version("1.11.4") < version("2.0.0")


def test_a_change_leads_back_by_edits():
    one = change()
    (edit,) = one.before
    assert isinstance(edit, Set)
    assert edit.settings[0][1].layer == "build profile"
    assert str(edit.settings[0][1].place) == "builds.yaml:7"
    assert one.here == "both"


@pytest.mark.parametrize(
    ("jwst", "since", "lacks"),
    [
        ("1.16.0", "", True),
        ("1.11.4", "", False),
        ("1.11.0", "", False),
        ("1.16.0", "1.11.4", True),
        ("1.16.0", "1.12.0", False),
        ("never", "", True),
        ("never", "1.12.0", False),
    ],
)
def test_which_builds_lack_a_change(jwst, since, lacks):
    text = CHANGE.replace("1.16.0", jwst) + (f"    since: {since}\n" if since else "")
    assert change(text).lacks(build()) is lacks


def test_a_change_of_order_and_of_some_exposures():
    one = change(
        "changes:\n  - jwst: 3.0.0\n    kind: order\n    step: persistence\n    what: it moved\n"
        "    rows: [R-99]\n    when: {instrument: NIRCAM}\n    pipelines: [calwebb_detector1]\n"
        "    before: [{move: persistence, after: linearity}]\n    ran: true\n"
    )
    assert isinstance(one.before[0], Move)
    assert one.when.evaluate({"INSTRUME": "NIRCAM"}) is True
    assert one.when.evaluate({"INSTRUME": "MIRI"}) is False
    assert (one.rows, one.pipelines, one.ran) == (("R-99",), ("calwebb_detector1",), True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"9.3"', "9.3", "builds.yaml:3: this is text, not 9.3"),
        ("1.11.4", "1.11", "builds.yaml:4: a version of jwst is written like 1.11.4, not 1.11"),
        (
            "Archived",
            "archived",
            "builds.yaml:5: There is no status 'archived'. Did you mean 'Arch",
        ),
        ("    jwst: 1.11.4\n", "", "builds.yaml:3: 'jwst' is missing"),
        ("status", "state", "There is no key of a build 'state'. Did you mean 'status'?"),
        ("Archived", "Archived\n    operations: 24.8.2023", "a date is written like 2023-08-24"),
        ("Archived", "Archived\n    crds: jwst_1107.pmap", "whole number, not 'jwst_1107.pmap'"),
        ("Archived", "Archived\n    page: {sdb: TBD}", "There is no key of a build 'sdb'"),
        ("Archived", "Archived\n    page: TBD", "here stands a mapping"),
        ("builds:\n  - ", "builds:\n    ", "'builds' is a list of mappings"),
        ("builds:", "build:", "There is no key of a document of builds 'build'"),
    ],
)
def test_a_wrong_build_is_refused(old, new, said):
    with pytest.raises(PipelineError) as error:
        parse(BUILD.replace(old, new), "builds.yaml")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "default",
            "defaults",
            "builds.yaml:4: There is no kind 'defaults'. Did you mean 'default'?",
        ),
        ("before: ", "here: both #", "There is no value of 'here' 'both'"),
        (
            "before: ",
            "here: new\n    before: ",
            "a change has 'before', the edits that lead back, or",
        ),
        ("    before: [{set: {jump.rejection_threshold: 5}}]\n", "", "a change has 'before'"),
        ("{jump.rejection", "{rejection", "lacks the step; write STEP.PARAMETER"),
        ("what:", "why:", "There is no key of a change 'why'"),
        ("step: jump", "ran: perhaps\n    step: jump", "true or false, not 'perhaps'"),
        ("step: jump", "when: {instrumint: MIRI}\n    step: jump", "Did you mean 'instrument'?"),
    ],
)
def test_a_wrong_change_is_refused(old, new, said):
    with pytest.raises(PipelineError) as error:
        parse(CHANGE.replace(old, new, 1), "builds.yaml")
    assert said in str(error.value)


def test_a_document_is_a_mapping():
    with pytest.raises(PipelineError, match="is a mapping with 'builds' or 'changes'"):
        parse("- 9.3", "builds.yaml")
