"""Declarations: matching by keywords, records that are cheap and cannot be changed."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from types import SimpleNamespace

import pytest
from heliodor import declare
from heliodor.declare import ANY, Instrument, Layout, Match, RefNeed, Resource, StepSpec
from hypothesis import given
from hypothesis import strategies as st

values = st.sets(st.sampled_from("ABC"), min_size=1).map(lambda found: tuple(sorted(found)))
matches = st.dictionaries(st.sampled_from(("INSTRUME", "READPATT", "SUBARRAY")), values).map(Match)
exposures = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from("abcABCD") for key in ("INSTRUME", "READPATT", "SUBARRAY")}
)


def test_no_keywords_match_everything():
    assert ANY.accepts({})
    assert ANY.accepts({"INSTRUME": "MIRI"})


def test_a_missing_keyword_does_not_match():
    assert not Match({"INSTRUME": ("MIRI",)}).accepts({})


def test_case_of_the_exposure_does_not_matter():
    assert Match({"INSTRUME": ("MIRI",)}).accepts({"INSTRUME": "miri"})


def test_values_that_are_no_text():
    assert Match({"TSOVISIT": ("TRUE",)}).accepts({"TSOVISIT": True})


@given(matches, matches, exposures)
def test_within_means_accepted_by_both(narrow, wide, exposure):
    if narrow.within(wide) and narrow.accepts(exposure):
        assert wide.accepts(exposure)


@given(matches, matches)
def test_within_is_an_order(one, other):
    assert one.within(one)
    assert one.within(ANY)
    if one.within(other) and other.within(one):
        assert one == other


@given(matches, matches, matches)
def test_within_is_transitive(one, two, three):
    if one.within(two) and two.within(three):
        assert one.within(three)


def test_a_parameter_may_take_the_place_of_a_reference():
    need = RefNeed("flat", unless="own")
    assert need.asked({}, SimpleNamespace(own=None))
    assert not need.asked({}, SimpleNamespace(own="my_flat.fits"))


@pytest.mark.parametrize(
    ("need", "keyword"),
    [
        (RefNeed("dark"), "R_DARK"),
        (RefNeed("readnoise"), "R_READNO"),
        (RefNeed("saturation"), "R_SATURA"),
        (RefNeed("trapdensity", header="R_TRPDEN"), "R_TRPDEN"),
    ],
)
def test_keyword_that_records_a_reference(need, keyword):
    assert need.keyword == keyword


def test_modes_of_an_instrument():
    layout = Layout(full=(1024, 1032), planes=("REFOUT",))
    figures = Resource("heliodor_xcam", "simulation.yaml")
    x = Instrument("XCAM", "XCam", ("heliodor-detector",), layout, figures)
    mode = x.mode("imaging", "imaging", ("X_IMAGE", "X_FLAT"), ("one", "two"))
    assert mode.name == "xcam-imaging"
    assert mode.title == "XCam imaging"
    assert mode.pipelines == {1: "one", 2: "two"}
    assert mode.providers == ("heliodor-detector",)
    assert (mode.layout, mode.simulation) == (layout, figures)
    assert mode.match.accepts({"INSTRUME": "XCAM", "EXP_TYPE": "X_FLAT"})
    assert not mode.match.accepts({"INSTRUME": "XCAM", "EXP_TYPE": "X_DARK"})
    assert not mode.match.accepts({"INSTRUME": "YCAM", "EXP_TYPE": "X_FLAT"})


RECORDS = [
    record
    for record in vars(declare).values()
    if isinstance(record, type) and dataclasses.is_dataclass(record)
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_records_are_frozen_and_every_field_is_explained(record):
    assert record.__dataclass_params__.frozen
    assert len(dataclasses.fields(record)) <= 3 or "Attributes" in record.__doc__
    documented = {
        name.strip()
        for line in (record.__doc__ or "").splitlines()
        if " : " in line
        for name in line.partition(" : ")[0].split(",")
    }
    if "Attributes" in (record.__doc__ or ""):
        assert {field.name for field in dataclasses.fields(record)} <= documented


def test_step_spec_is_as_small_as_it_can_be():
    spec = StepSpec("jump", "a.b:C", "a.b:P", "Find jumps.", "S_JUMP")
    assert spec.applies is ANY
    assert spec.version == "1"
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(spec, "name", "jmp")


def test_declaring_imports_nothing_heavy():
    code = "import heliodor.declare, sys; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "pydantic", "astropy", "numba", "pluggy"} & set(out.stdout.split())


def test_any_value_will_do_but_there_must_be_one():
    near, striped = Match({"X": ("1",)}), Match({"X": ("1",), "STRIPES": ("*",)})
    assert striped.accepts({"X": 1, "STRIPES": 0})
    assert not striped.accepts({"X": 1})
    assert striped.within(near)
    assert not near.within(striped)
    assert Match({"STRIPES": ("2", "3")}).within(Match({"STRIPES": ("*",)}))


@pytest.mark.parametrize(("how", "asked"), [("sirs", True), ("median", False), (None, False)])
def test_a_reference_is_asked_for_by_the_value_of_a_parameter(how, asked):
    need = RefNeed("kernel", options=("how=sirs",))
    assert need.asked({}, SimpleNamespace(how=how)) is asked


@pytest.mark.parametrize(
    ("instrument", "flat", "auto", "asked"),
    [
        ("NIRCAM", True, False, True),
        ("NIRCAM", False, True, True),
        ("NIRCAM", False, False, False),
        ("MIRI", True, True, False),
    ],
)
def test_a_reference_is_asked_for_by_exposure_and_parameters(instrument, flat, auto, asked):
    need = RefNeed("flat", when=Match({"INSTRUME": ("NIRCAM",)}), options=("flat", "auto"))
    assert need.asked({"INSTRUME": instrument}, SimpleNamespace(flat=flat, auto=auto)) is asked
