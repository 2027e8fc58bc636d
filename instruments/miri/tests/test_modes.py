from __future__ import annotations

from importlib.resources import files

import pytest
from heliodor.documents.facts import facts
from heliodor.documents.parse import parse
from heliodor.documents.walk import StepUse, walk
from heliodor_miri.modes import MODES


def document(name):
    text = files("heliodor_miri").joinpath(f"pipelines/{name}.yaml").read_text()
    return parse(text, f"{name}.yaml", "mode")


@pytest.fixture
def detector1():
    return document("calwebb_detector1")


def test_every_exposure_type_has_one_mode():
    types = [kind for mode in MODES for kind in mode.match.keywords["EXP_TYPE"]]
    assert sorted(types) == [
        "MIR_4QPM", "MIR_CORONCAL", "MIR_DARKALL", "MIR_DARKIMG", "MIR_DARKMRS", "MIR_FLATIMAGE",
        "MIR_FLATIMAGE-EXT", "MIR_FLATMRS", "MIR_FLATMRS-EXT", "MIR_IMAGE", "MIR_LRS-FIXEDSLIT",
        "MIR_LRS-SLITLESS", "MIR_LYOT", "MIR_MRS", "MIR_TACONFIRM", "MIR_TACQ", "MIR_WFSS",
    ]  # fmt: skip


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_the_pipeline_is_for_all_modes_but_darks(detector1, mode):
    for kind in mode.match.keywords["EXP_TYPE"]:
        header = {"INSTRUME": "MIRI", "EXP_TYPE": kind}
        meant = detector1.for_.evaluate(facts(header, stage=1))
        assert meant is (mode.pipelines[1] == "calwebb_detector1")


def test_order(detector1):
    found = list(walk(detector1, facts({"INSTRUME": "MIRI", "EXP_TYPE": "MIR_MRS"}, stage=1)))
    steps = [use for use in found if isinstance(use, StepUse)]
    assert " ".join(use.label for use in steps) == (
        "group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd "
        "dark_current refpix charge_migration jump picture_frame clean_flicker_noise persistence "
        "ramp_fit gain_scale"
    )
    assert [use.label for use in steps if not use.enabled] == [
        "emicorr", "firstframe", "charge_migration", "picture_frame", "clean_flicker_noise",
        "persistence",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["MIR_DARKALL", "MIR_DARKIMG", "MIR_DARKMRS"])
def test_order_for_darks(kind):
    dark = document("calwebb_dark")
    known = facts({"INSTRUME": "MIRI", "EXP_TYPE": kind}, stage=1)
    assert dark.for_.evaluate(known) is True
    *steps, save = walk(dark, known)
    assert save.suffix == "dark"
    assert " ".join(use.label for use in steps) == (
        "group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd"
    )
    assert [use.label for use in steps if not use.enabled] == ["emicorr", "firstframe"]


@pytest.mark.parametrize("step", ["refpix", "ipc", "clean_flicker_noise", "ramp_fit"])
def test_miri_has_its_own_kind_of_some_shared_steps(step):
    from heliodor.plugins import registry

    known = {"heliodor-detector", "heliodor-miri"}
    for instrument, owner in (("MIRI", "heliodor-miri"), ("NIRCAM", "heliodor-detector")):
        offer = registry().choose(step, {"INSTRUME": instrument}, known)
        assert offer.plugin.distribution == owner


@pytest.mark.parametrize(
    ("step", "keyword"), [("emicorr", "R_MIREMI"), ("reset", "R_RESET"), ("rscd", "R_RSCD")]
)
def test_references_are_recorded_under_the_operational_keyword(step, keyword):
    from heliodor.plugins import registry

    (offer,) = registry().offers(step)
    assert [need.keyword for need in offer.spec.refs] == [keyword]
