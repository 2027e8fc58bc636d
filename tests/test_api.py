"""What a notebook uses: `plan`, `run`, `run_step`, `steps`, `modes`."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from heliodor import exposures, recording
from heliodor.errors import (
    ExposureError,
    PluginError,
    ReferenceError,
    UsageError,
)
from heliodor.observers import Observer
from stdatamodels.jwst import datamodels

PLANES = ("data", "err", "dq", "var_poisson", "var_rnoise")


@pytest.fixture(scope="module")
def done(small_nircam):
    return heliodor.run(
        small_nircam.exposure,
        folders=small_nircam.references,
        parameters={"save_calibrated_ramp": True},
    )


@pytest.fixture
def rate(done):
    return done["rate"].copy()


# ------------------------------------------------------------------ plan and run


def test_plan(small_nircam, tmp_path):
    plan = heliodor.plan(
        str(small_nircam.exposure),
        parameters={"jump.rejection_threshold": 5},
        skip=["ipc"],
        references={"dark": "N/A"},
        folders=[small_nircam.references],
        out=tmp_path,
        threads=3,
    )
    steps = {step.label: step for step in plan.steps}
    assert plan.mode.name == "nircam-imaging"
    assert plan.request.threads == 3
    assert steps["jump"].params.rejection_threshold == 5.0
    assert str(steps["jump"].origins["rejection_threshold"]) == "Python, parameters"
    assert not steps["ipc"].runs
    assert not steps["dark_current"].runs
    assert "--ref says N/A" in steps["dark_current"].reason
    assert {save.suffix: save.path.parent for save in plan.saves} == {
        "rate": tmp_path,
        "rateints": tmp_path,
    }
    assert not plan.missing
    assert not list(tmp_path.iterdir())


def test_a_plan_reads_headers_only(small_nircam, monkeypatch):
    monkeypatch.setattr(exposures, "read_ramp", None)
    monkeypatch.setattr(recording, "file_sha256", None)
    assert heliodor.plan(small_nircam.exposure, folders=small_nircam.references).steps


def test_run_keeps_products_in_memory(done, small_nircam, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    result = heliodor.run(small_nircam.exposure, folders=small_nircam.references)
    assert isinstance(result["rate"], datamodels.ImageModel)
    assert isinstance(result["rateints"], datamodels.CubeModel)
    assert isinstance(done["ramp"], datamodels.RampModel)
    assert result["rate"].meta.cal_step.jump == "COMPLETE"
    assert result.products["rate"].keywords["S_JUMP"] == "COMPLETE"
    assert result.paths == {}
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyError, match="there is rate, rateints"):
        result["fitopt"]


def test_run_writes_when_asked(done, small_nircam, tmp_path):
    plan = heliodor.plan(small_nircam.exposure, folders=small_nircam.references, out=tmp_path)
    result = heliodor.run(plan, save=True)
    assert set(result.paths.values()) == set(tmp_path.iterdir())
    with result["rate"] as written:
        for name in PLANES:
            np.testing.assert_array_equal(getattr(written, name), getattr(done["rate"], name))


def test_a_plan_takes_no_more_options(small_nircam):
    plan = heliodor.plan(small_nircam.exposure, folders=small_nircam.references)
    with pytest.raises(UsageError, match="options belong to `plan`"):
        heliodor.run(plan, skip=["jump"])


def test_a_plan_can_be_run_again(small_nircam, done):
    plan = heliodor.plan(small_nircam.exposure, folders=small_nircam.references)
    for result in (heliodor.run(plan), heliodor.run(plan)):
        np.testing.assert_array_equal(result["rate"].data, done["rate"].data)


def test_an_observer_is_told_how_it_goes(small_nircam, tmp_path):
    class Told(Observer):
        def __init__(self):
            self.said = []

        def reading(self, plan):
            self.said.append("reading")

        def step_started(self, plan, step):
            self.said.append(step.label)

        def step_progress(self, step, done):
            assert 0 <= done <= 1

        def step_ended(self, plan, step, outcome):
            assert self.said[-1] == step.label

        def writing(self, plan, name):
            self.said.append(f"writing {name}")

    told = Told()
    heliodor.run(
        small_nircam.exposure, folders=small_nircam.references, out=tmp_path, save=True,
        observer=told,
    )  # fmt: skip
    assert told.said[0] == "reading"
    assert told.said[-4:] == ["gain_scale", "writing rate", "gain_scale", "writing rateints"]


def test_steps_and_modes():
    steps = heliodor.steps()
    assert [spec.name for spec in steps["jump"]] == ["jump"]
    assert list(steps) == sorted(steps)
    modes = heliodor.modes()
    assert modes["niriss-imaging"].instrument == "NIRISS"
    assert list(modes) == sorted(modes)


# ------------------------------------------------------------------ one step


def test_step_by_step_is_the_pipeline(small_nircam, done):
    """Models go from step to step, and the slopes are those of the pipeline."""
    plan = heliodor.plan(small_nircam.exposure, folders=small_nircam.references)
    data = small_nircam.exposure
    for step in plan.steps:
        if step.port == "main" and step.runs:
            data = heliodor.run_step(step.label, data, references=small_nircam.references)
    assert set(data) == {"rate", "rateints"}
    for kind, product in data.items():
        for name in PLANES:
            ours, pipelines = getattr(product, name), getattr(done[kind], name)
            np.testing.assert_array_equal(ours, pipelines)
    assert data["rate"].meta.cal_step.ramp_fit == "COMPLETE"
    assert data["rate"].meta.cal_step.superbias == "COMPLETE"
    assert data["rate"].meta.ref_file.dark.name == small_nircam.files["dark"].name


def test_a_file_and_a_model_are_the_same(small_niriss):
    references = {"mask": small_niriss.files["mask"]}
    from_file = heliodor.run_step("dq_init", small_niriss.exposure, references=references)
    with datamodels.open(small_niriss.exposure) as model:
        from_model = heliodor.run_step("dq_init", model, references=references)
    for each in (from_file, from_model):
        assert isinstance(each, datamodels.RampModel)
        assert each.meta.cal_step.dq_init == "COMPLETE"
        assert each.meta.ref_file.mask.name == small_niriss.files["mask"].name
    np.testing.assert_array_equal(from_file.pixeldq, from_model.pixeldq)
    np.testing.assert_array_equal(from_file.data, from_model.data)
    assert from_file.pixeldq.any()


def test_the_input_is_left_as_it_is(done, small_nircam):
    ramp = done["ramp"].copy()
    before = ramp.copy()
    result = heliodor.run_step("superbias", ramp, references=small_nircam.references)
    assert result is not ramp
    assert not np.array_equal(result.data, ramp.data)
    for name in ("data", "groupdq", "pixeldq"):
        np.testing.assert_array_equal(getattr(ramp, name), getattr(before, name))
        assert not np.shares_memory(getattr(result, name), getattr(ramp, name))
    assert ramp.meta.instance == before.meta.instance


def test_parameters_and_threads(done, small_nircam):
    ramp = done["ramp"].copy()
    ramp.groupdq = np.zeros_like(ramp.groupdq)
    counts = [
        np.count_nonzero(
            heliodor.run_step(
                "jump", ramp, references=small_nircam.references, threads=threads,
                rejection_threshold=threshold, three_group_rejection_threshold=threshold,
                four_group_rejection_threshold=threshold,
            ).groupdq & 4
        )
        for threshold, threads in ((3, 1), (3, 2), (1000, 1))
    ]  # fmt: skip
    assert counts[0] == counts[1] > counts[2]


def test_a_step_that_is_off_by_default_runs_when_it_is_called(done):
    off = heliodor.run_step("charge_migration", done["ramp"])
    assert off.meta.cal_step.charge_migration == "COMPLETE"
    skipped = heliodor.run_step("refpix", done["ramp"], skip=True)
    assert skipped.meta.cal_step.refpix == "SKIPPED"
    np.testing.assert_array_equal(skipped.data, done["ramp"].data)


def test_what_a_step_makes_when_it_does_not_apply(done, small_nircam):
    same = heliodor.run_step("ipc", done["ramp"], references={"ipc": "N/A"})
    assert same.meta.cal_step.ipc == "SKIPPED"
    np.testing.assert_array_equal(same.data, done["ramp"].data)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("jmp",), UsageError, "no step 'jmp'. Did you mean 'jump'?"),
        (("superbias",), ReferenceError, "superbias needs a superbias reference"),
    ],
)
def test_mistakes(done, arguments, error, said):
    with pytest.raises(error, match=said):
        heliodor.run_step(*arguments, done["ramp"])


def test_unknown_parameters(done, small_nircam):
    where = {"references": small_nircam.references}
    with pytest.raises(UsageError, match="Did you mean 'rejection_threshold'"):
        heliodor.run_step("jump", done["ramp"], rejection_treshold=5, **where)
    with pytest.raises(UsageError, match=r"-5 \(Python, run_step\) .* at least 0"):
        heliodor.run_step("jump", done["ramp"], rejection_threshold=-5, **where)
    with pytest.raises(UsageError, match="no reference type"):
        heliodor.run_step("jump", done["ramp"], references={"gian": "x.fits"})
    with pytest.raises((UsageError, PluginError), match="heliodor-detector"):
        heliodor.run_step("jump", done["ramp"], use="heliodor-detectr", **where)


# ------------------------------------------------------------------ a step that takes slopes


@pytest.mark.parametrize("kind", ["rate", "rateints"])
def test_a_step_on_slopes(done, kind):
    model = done[kind].copy()
    model.meta.exposure.gain_factor = 2.0
    before = model.copy()
    scaled = heliodor.run_step("gain_scale", model)
    assert type(scaled) is type(model)
    assert scaled.meta.cal_step.gain_scale == "COMPLETE"
    for name, factor in (("data", 2), ("err", 2), ("var_poisson", 4), ("var_rnoise", 4), ("dq", 1)):
        np.testing.assert_array_equal(getattr(scaled, name), getattr(before, name) * factor)
        np.testing.assert_array_equal(getattr(model, name), getattr(before, name))
    assert scaled.meta.bunit_data == "DN/s"
    assert scaled.meta.filename == model.meta.filename
    assert scaled.meta.cal_step.jump == "COMPLETE"


def test_a_step_on_a_file_of_slopes(small_nircam, tmp_path, done):
    written = heliodor.run(
        small_nircam.exposure, folders=small_nircam.references, out=tmp_path, save=True
    ).paths["rateints"]
    content = written.read_bytes()
    result = heliodor.run_step("gain_scale", written)
    assert isinstance(result, datamodels.CubeModel)
    # the factor is 1 unless somebody says otherwise: nothing is done, and that is said
    assert result.meta.cal_step.gain_scale == "SKIPPED"
    for name in PLANES:
        np.testing.assert_array_equal(getattr(result, name), getattr(done["rateints"], name))
    assert len(result.int_times) == 3
    assert written.read_bytes() == content


def test_slopes_read_as_a_product(done, rate):
    rate.extra_attribute = 1
    product = exposures.read_product(rate)
    assert (product.kind, product.model, product.unit) == ("rate", "ImageModel", "DN/s")
    assert set(product.planes) == set(PLANES)
    for name, plane in product.planes.items():
        assert plane.dtype == getattr(rate, name).dtype.newbyteorder("=")
        assert plane.flags.c_contiguous
        assert not np.shares_memory(plane, getattr(rate, name))
    assert product.keywords["READPATT"] == "BRIGHT2"


def test_a_ramp_is_no_image_and_an_image_no_ramp(done, small_nircam):
    with pytest.raises(ExposureError, match="takes slopes"):
        heliodor.run_step("gain_scale", done["ramp"])
    with pytest.raises(ExposureError, match="takes slopes"):
        heliodor.run_step("gain_scale", small_nircam.exposure)
    with pytest.raises(ExposureError, match="takes models of ramps"):
        heliodor.run_step("refpix", done["rate"])
