"""Made-up Steps of stpipe run as ours."""

from __future__ import annotations

import sys
from pathlib import Path

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor import testing
from heliodor.bits import JUMP_DET
from heliodor.declare import RefNeed, StepSpec
from heliodor.engine import load
from heliodor.errors import NotYetError, StepError, UsageError
from heliodor.plugins import registry

pytest.importorskip("stpipe")


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    yield
    sys.modules.pop("made_up", None)


def spec_of(name: str, instead_of: StepSpec | None = None) -> StepSpec:
    return registry().resolve(f"stpipe:made_up.{name}", instead_of).spec


def ramp(nints=2, ngroups=4):
    rng = np.random.default_rng(1)
    return testing.make_ramp(
        rng.normal(100, 5, (nints, ngroups, 4, 5)),
        INSTRUME="NIRCAM", DETECTOR="NRCA1", EXP_TYPE="NRC_IMAGE", TGROUP=10.0, NINTS=nints,
        NGROUPS=ngroups, NFRAMES=1, READPATT="RAPID", FILENAME="jw1_uncal.fits",
    )  # fmt: skip


GAIN = np.arange(20, dtype=np.float32).reshape(4, 5)


def run(name: str, data, references=None, **parameters):
    return testing.run_step(spec_of(name), data, references, **parameters)


def test_the_declaration_says_what_the_class_says():
    spec = spec_of("PedestalStep")
    assert spec.name == "stpipe:made_up.PedestalStep"
    assert spec.summary == "Add a pedestal, times the gain, to every group."
    assert spec.status == "S_PEDEST"
    assert [need.type for need in spec.refs] == ["gain"]
    assert spec.refs[0].optional
    assert spec.refs[0].keyword == "R_GAIN"
    names = list(load(spec.params).model_fields)
    assert {"level", "flag", "mode", "override_gain", "skip"} <= set(names)
    assert not {"output_ext", "save_results", "pre_hooks", "suffix"} & set(names)


def test_arrays_flags_and_keywords_are_taken_back():
    data = ramp()
    expected = data.data + np.float32(3.0) * GAIN
    outcome = run("PedestalStep", data, {"gain": GAIN}, level=3)
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(data.data, expected)
    assert (data.groupdq[:, 0] == JUMP_DET).all()
    assert not data.groupdq[:, 1:].any()
    assert data.keywords["PRIMECRS"] == 12.5


def test_parameters_are_the_step_s_own():
    data = ramp()
    before = data.data.copy()
    run("PedestalStep", data, {"gain": GAIN}, level="1.5", flag="false", mode="first")
    assert not data.groupdq.any()
    np.testing.assert_array_equal(data.data[:, 1:], before[:, 1:])
    np.testing.assert_array_equal(data.data[:, 0], before[:, 0] + np.float32(1.5) * GAIN)


def test_an_override_takes_the_place_of_our_selection(tmp_path):
    data = ramp()
    expected = data.data + np.float32(2.0)
    fits.PrimaryHDU(np.ones((4, 5), np.float32)).writeto(tmp_path / "ones.fits")
    override = str(tmp_path / "ones.fits")
    need: RefNeed = spec_of("PedestalStep").refs[0]
    params = load(spec_of("PedestalStep").params)
    assert need.asked(data.keywords, params())
    assert not need.asked(data.keywords, params(override_gain=override))
    run("PedestalStep", data, {"gain": GAIN}, override_gain=override)
    np.testing.assert_array_equal(data.data, expected)


def test_a_step_may_change_its_input_and_its_type():
    data = ramp()
    array, expected = data.data, data.data * np.float32(2)
    run("InPlaceStep", data)
    assert data.data is array
    assert data.data.dtype == np.float32
    np.testing.assert_array_equal(data.data, expected)
    assert data.pixeldq[0, 1] == 1 << 30
    assert np.count_nonzero(data.pixeldq) == 1


def test_a_step_that_leaves_itself_out_changes_nothing_and_says_why():
    data = ramp()
    before = data.data.copy()
    outcome = run("LeaveOutStep", data)
    assert outcome.status == "SKIPPED"
    assert outcome.reason == "There are too few groups; The step will be skipped"
    np.testing.assert_array_equal(data.data, before)
    assert "S_JUMP" not in data.keywords


def test_listening_leaves_loggers_as_they_were(caplog):
    import logging

    import made_up

    run("LeaveOutStep", ramp())
    assert made_up.log.level == logging.NOTSET
    assert not made_up.log.filters
    assert [r.message for r in caplog.records if r.name == "made_up"] == [
        "There are too few groups;"
    ]


def test_an_exception_names_the_class_and_its_distribution():
    with pytest.raises(StepError, match=r"made_up\.BreakStep of made_up failed: IndexError: index"):
        run("BreakStep", ramp())


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("shape", r"data came back with shape \(2, 3, 4, 5\)"),
        ("none", "no model"),
        ("text", "a str"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(what, said):
    with pytest.raises(StepError, match=said):
        run("CutStep", ramp(), what=what)


def test_a_product_needs_a_place():
    with pytest.raises(StepError, match=r"returned a ImageModel.*Set gives_rate: true"):
        run("SlopeStep", ramp())


def test_products_of_another_class_are_taken():
    data = ramp()
    slopes = (data.data[:, -1] - data.data[:, 0]) / np.float32(10)
    outcome = run("SlopeStep", data, gives_rate=True, gives_rateints=True, both=True)
    rate, rateints = outcome.products["rate"], outcome.products["rateints"]
    assert (rate.model, rateints.model) == ("ImageModel", "CubeModel")
    np.testing.assert_array_equal(rateints.planes["data"], slopes)
    np.testing.assert_array_equal(rate.planes["data"], slopes.mean(axis=0))
    assert rate.keywords["DETECTOR"] == "NRCA1"
    assert rate.unit == "DN/s"


def test_a_class_with_the_alias_of_ours_makes_what_ours_makes():
    spec = spec_of("FitStep")
    assert (spec.status, spec.takes) == ("S_RAMP", "ramp")
    assert [output.name for output in spec.makes] == ["rate", "rateints", "fitopt", "likely_chisq"]
    assert "gives_rate" not in load(spec.params).model_fields
    outcome = run("FitStep", ramp(), save_opt=True)
    assert set(outcome.products) == {"rate", "rateints", "fitopt"}
    assert outcome.products["fitopt"].model == "RampFitOutputModel"
    assert (outcome.products["fitopt"].planes["slope"] == 1).all()


def test_a_stand_in_makes_what_ours_makes():
    spec = spec_of("SlopeStep", registry().offers("ramp_fit")[0].spec)
    outcome = testing.run_step(spec, ramp(), both=True)
    assert set(outcome.products) == {"rate", "rateints"}


def test_what_a_step_saves_is_written_where_the_pipeline_has_no_place_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = run("SideStep", ramp())
    assert not outcome.products
    assert [path.name for path in tmp_path.iterdir()] == ["jw1_ramp_side.fits"]


def test_an_image_is_changed_in_place():
    from heliodor.data import Keywords, Product

    planes = {"data": np.ones((4, 5), np.float32), "dq": np.zeros((4, 5), np.uint32)}
    product = Product("rate", "ImageModel", planes, Keywords({"FILENAME": "jw1_rate.fits"}))
    array = planes["data"]
    run("StatusStep", product)
    assert (array == 1).all()
    product.keywords["S_SATURA"] = "COMPLETE"
    run("StatusStep", product)
    assert product.planes["data"] is array
    assert (array == 1001).all()


def test_a_stand_in_has_the_name_and_keyword_of_what_it_replaces():
    ours = registry().offers("jump")[0].spec
    spec = spec_of("PedestalStep", ours)
    assert (spec.name, spec.status, spec.sets_bits) == ("jump", "S_JUMP", ours.sets_bits)


def test_a_pipeline_is_refused():
    with pytest.raises(NotYetError, match="only its steps"):
        spec_of("WholePipeline")


def test_an_unknown_class_names_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'PedestalStep'"):
        spec_of("PedestlStep")
    with pytest.raises(UsageError, match="is no stpipe Step; in made_up are: "):
        spec_of("np")


def test_it_says_that_it_holds_the_exposure_in_memory():
    assert spec_of("InPlaceStep").in_memory


def test_that_no_reference_applies_reaches_the_step(monkeypatch):
    from heliodor.products import to_model
    from stpipe import crds_client

    def asked(*arguments):
        raise AssertionError("CRDS was asked")

    monkeypatch.setattr(crds_client, "get_reference_file", asked)
    model = to_model(ramp())
    before = model.data.copy()
    step = "stpipe:made_up.PedestalStep"
    result = heliodor.run_step(step, model, references={"gain": "N/A"}, level=3)
    np.testing.assert_array_equal(result.data, before + np.float32(3))
    assert result.meta.ref_file.gain.name == "N/A"


def test_a_single_step_on_a_model():
    from heliodor.products import to_model

    model = to_model(ramp())
    before = model.data.copy()
    result = heliodor.run_step("stpipe:made_up.InPlaceStep", model)
    np.testing.assert_array_equal(result.data, before * 2)
    np.testing.assert_array_equal(model.data, before)
