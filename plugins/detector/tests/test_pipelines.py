"""The pipeline documents of this plugin."""

from __future__ import annotations

from importlib.resources import files

import pytest
from heliodor.documents.facts import facts
from heliodor.documents.parse import parse
from heliodor.documents.walk import StepUse, walk


def document(name):
    text = files("heliodor_detector").joinpath(f"pipelines/{name}.yaml").read_text()
    return parse(text, f"{name}.yaml", "mode")


@pytest.fixture
def detector1():
    return document("calwebb_detector1")


def names(uses):
    return " ".join(use.label if isinstance(use, StepUse) else f">{use.suffix}" for use in uses)


def test_order_of_the_near_infrared(detector1):
    found = list(walk(detector1, facts({"INSTRUME": "NIRCAM", "EXP_TYPE": "NRC_IMAGE"}, stage=1)))
    assert names(found) == (
        "group_scale dq_init saturation ipc superbias refpix linearity dark_current "
        "charge_migration jump picture_frame >pctfrm_mask >pctfrm_correction "
        "clean_flicker_noise >mask >flicker_bkg "
        ">flicker_noise persistence >ramp ramp_fit "
        "gain_scale >rate >rateints >fitopt >likely_chisq"
    )
    assert names(use for use in found if not getattr(use, "enabled", True)) == (
        "charge_migration picture_frame clean_flicker_noise persistence"
    )


@pytest.mark.parametrize("option", [True, False])
def test_the_calibrated_ramp_is_saved_on_demand(detector1, option):
    known = facts({"INSTRUME": "NIRISS"}, stage=1, option={"save_calibrated_ramp": option})
    (ramp,) = (use for use in walk(detector1, known) if getattr(use, "suffix", "") == "ramp")
    assert ramp.runs is option


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize(
    "name", ["pctfrm_mask", "pctfrm_correction", "mask", "flicker_bkg", "flicker_noise", "fitopt"]
)
def test_optional_products_are_saved_when_there_are_any(detector1, name, made):
    uses = walk(detector1, facts({"INSTRUME": "NIRISS"}, stage=1))
    (save,) = (use for use in uses if getattr(use, "suffix", "") == name)
    assert save.port == name
    assert save.condition.evaluate(facts({}, ports={name: made})) is made


@pytest.mark.parametrize(
    ("instrument", "exp_type", "meant"),
    [
        ("NIRCAM", "NRC_IMAGE", True),
        ("NIRCAM", "NRC_TSGRISM", True),
        ("NIRISS", "NIS_SOSS", True),
        ("NIRSPEC", "NRS_MSASPEC", True),
        ("FGS", "FGS_IMAGE", True),
        ("FGS", "FGS_TRACK", False),
        ("NIRCAM", "NRC_DARK", False),
        ("MIRI", "MIR_IMAGE", False),
    ],
)
def test_what_it_is_for(detector1, instrument, exp_type, meant):
    header = {"INSTRUME": instrument, "EXP_TYPE": exp_type}
    assert detector1.for_.evaluate(facts(header, stage=1)) is meant


def test_order_for_darks():
    known = facts({"INSTRUME": "NIRCAM", "EXP_TYPE": "NRC_DARK"}, stage=1)
    assert names(walk(document("calwebb_dark"), known)) == (
        "group_scale dq_init saturation ipc superbias refpix linearity >dark"
    )


@pytest.mark.parametrize(
    ("exp_type", "meant"),
    [
        ("NRC_DARK", True),
        ("NIS_DARK", True),
        ("NRS_DARK", True),
        ("FGS_DARK", True),
        ("MIR_DARKALL", False),
        ("NRC_IMAGE", False),
    ],
)
def test_what_the_pipeline_of_darks_is_for(exp_type, meant):
    known = facts({"EXP_TYPE": exp_type}, stage=1)
    assert document("calwebb_dark").for_.evaluate(known) is meant
