"""Steps of jwst, snowblind and columnjump in our pipelines, and ours as hooks of jwst."""

from __future__ import annotations

from pathlib import Path

import heliodor
import numpy as np
import pytest
from heliodor import testing
from heliodor.bits import JUMP_DET

pytest.importorskip("jwst")
pytest.importorskip("stpipe")

EXAMPLES = Path(__file__).parents[1] / "examples" / "foreign-steps"


@pytest.fixture(scope="module")
def exposure(simulated):
    """A window with jumps in it."""
    return simulated("nircam-imaging", size=64, nints=2, ngroups=8, seed=3)


@pytest.fixture
def run(exposure, tmp_path):
    """Run the exposure with edits, or a file of them; keeps the products in memory."""

    def run(edits: str | Path = "", **options):
        files = [edits] if isinstance(edits, Path) else []
        if edits and not files:
            files = [tmp_path / "edits.yaml"]
            files[0].write_text(f"extends: calwebb_detector1\nedits:\n{edits}")
        options = {"folders": exposure.references, "pipeline": files, **options}
        return heliodor.run(exposure.exposure, **options)

    return run


def same(ours, theirs, product: str, planes: tuple[str, ...]) -> None:
    a, b = ours.products[product], theirs.products[product]
    for name in planes:
        np.testing.assert_array_equal(a.planes[name], b.planes[name])
        assert a.planes[name].dtype == b.planes[name].dtype
    assert a.unit == b.unit
    assert _measured(a) == _measured(b)


def _measured(product) -> dict[str, object]:
    """Keywords but for status and references, which are written with every product."""
    changed = product.keywords.changed
    return {name: value for name, value in changed.items() if name[:2] not in ("S_", "R_")}


SLOPES = ("data", "err", "dq", "var_poisson", "var_rnoise")


@pytest.fixture
def without_crds(monkeypatch):
    """Let every question to CRDS fail."""
    from stpipe import crds_client

    def asked(*arguments):
        raise AssertionError("CRDS was asked")

    for name in ("get_reference_file", "get_context_used", "get_svn_version"):
        monkeypatch.setattr(crds_client, name, asked)


# ------------------------------------------------------------------ jwst


@pytest.mark.usefixtures("without_crds")
def test_the_jump_step_of_jwst_stands_in_for_ours(run):
    ours = run()
    theirs = run(EXAMPLES / "jump-of-jwst.yaml")
    same(ours, theirs, "rate", SLOPES)
    same(ours, theirs, "rateints", SLOPES)
    step, outcome = next(pair for pair in theirs.outcomes if pair[0].label == "jump")
    assert step.spec.version.startswith("jwst ")
    assert outcome.status == "COMPLETE"
    assert outcome.flagged["JUMP_DET"] > 0
    rate = theirs["rate"]
    assert rate.meta.cal_step.jump == "COMPLETE"
    assert rate.meta.ref_file.gain.name == step.files["gain"].name
    assert theirs.provenance.receipt is not None
    record = next(each for each in theirs.provenance.receipt.steps if each.name == "jump")
    assert record.algorithm == step.spec.version
    assert {each.type for each in record.references} == {"gain", "readnoise"}


@pytest.mark.usefixtures("without_crds")
def test_parameters_of_the_pipeline_reach_it(run):
    edits = EXAMPLES / "jump-of-jwst.yaml"
    given = {"jump.rejection_threshold": "3", "jump.flag_4_neighbors": "false"}
    same(run(parameters=given), run(edits, parameters=given), "rate", SLOPES)
    with pytest.raises(heliodor.errors.UsageError, match=r"a number, at least 0\. CR sigma"):
        run(edits, parameters={"jump.rejection_threshold": "-3"})


@pytest.mark.usefixtures("without_crds")
def test_the_whole_stage_of_jwst_stands_in_for_ours(run):
    names = {
        "group_scale": "group_scale.GroupScaleStep",
        "dq_init": "dq_init.DQInitStep",
        "saturation": "saturation.SaturationStep",
        "ipc": "ipc.IPCStep",
        "superbias": "superbias.SuperBiasStep",
        "refpix": "refpix.RefPixStep",
        "linearity": "linearity.LinearityStep",
        "dark_current": "dark_current.DarkCurrentStep",
        "jump": "jump.JumpStep",
        "ramp_fit": "ramp_fitting.RampFitStep",
        "gain_scale": "gain_scale.GainScaleStep",
    }
    edits = "".join(
        f"- replace: {label}\n  by: {{{label}: {{use: 'stpipe:jwst.{name}'}}}}\n"
        for label, name in names.items()
    )
    edits += "- set: {ramp_fit.save_opt: true}\n"
    asked = {"ramp_fit.save_opt": "true", "ramp_fit.pedestal_as_jwst": "true"}
    ours, theirs = run(parameters=asked), run(edits)
    assert {step.label: outcome.status for step, outcome in theirs.outcomes} == {
        step.label: outcome.status for step, outcome in ours.outcomes
    }
    same(ours, theirs, "rate", SLOPES)
    same(ours, theirs, "rateints", SLOPES)
    same(ours, theirs, "fitopt", ("slope", "sigslope", "var_poisson", "weights", "crmag"))
    # sums in another order, and a slope that is float32 by then: a unit in the last place
    a, b = (result.products["fitopt"].planes for result in (ours, theirs))
    assert a.keys() == b.keys()
    for name in a.keys() - {"pedestal"}:
        np.testing.assert_allclose(a[name], b[name], rtol=2.4e-7)
    largest = np.nanmax(np.abs(ours.products["rateints"].planes["data"]))
    np.testing.assert_allclose(a["pedestal"], b["pedestal"], rtol=2.4e-7, atol=1e-6 * largest)


# ------------------------------------------------------------------ snowblind and columnjump


def test_snowblind_in_a_pipeline_of_ours(run, exposure):
    snowblind = pytest.importorskip("snowblind")
    pytest.importorskip("skimage")
    ramp = {"save_calibrated_ramp": True}
    plain = run(parameters=ramp)
    grown = run(EXAMPLES / "snowblind.yaml", parameters=ramp)
    step = snowblind.SnowblindStep(min_radius=1, growth_factor=1.5)
    expected = step.process(plain["ramp"])
    np.testing.assert_array_equal(grown.products["ramp"].groupdq, expected.groupdq)
    before = (plain.products["ramp"].groupdq & JUMP_DET) > 0
    after = (grown.products["ramp"].groupdq & JUMP_DET) > 0
    assert (after & ~before).any()
    rate = grown.products["rate"].keywords
    assert rate["S_SNOWBL"] == "COMPLETE"
    assert rate["EXTNCRS"] == expected.meta.exposure.extended_emission_events
    assert grown["rate"].meta.cal_step.jump == "COMPLETE"


def test_columnjump_leaves_itself_out_of_short_ramps():
    pytest.importorskip("columnjump")
    ramp = testing.make_ramp(np.zeros((1, 5, 8, 8)), NGROUPS=5, NFRAMES=1, INSTRUME="NIRISS")
    spec = heliodor.plugins.registry().offers("stpipe:columnjump.ColumnJumpStep")[0].spec
    outcome = testing.run_step(spec, ramp, nsigma1jump=6)
    assert outcome.status == "SKIPPED"
    assert "NGROUPS<=6" in outcome.reason
    assert "S_JUMP" not in ramp.keywords


def test_columnjump_in_a_pipeline_of_ours(run):
    pytest.importorskip("columnjump")
    done = run(EXAMPLES / "columnjump.yaml")
    (step,) = (step for step in done.plan.steps if step.label == "ColumnJumpStep")
    assert (step.runs, step.spec.status) == (False, "S_COLUMN")
    assert "INSTRUME" in step.reason


def test_columnjump_mends_a_column_of_the_full_frame():
    columnjump = pytest.importorskip("columnjump")
    from heliodor.products import to_model

    ngroups = 8
    rng = np.random.default_rng(5)
    data = rng.normal(1000, 8, (1, ngroups, 2048, 2048)).astype(np.float32)
    data[0, 4:, 700] += 200
    keywords = dict(
        INSTRUME="NIRISS", DETECTOR="NIS", EXP_TYPE="NIS_IMAGE", NINTS=1, NGROUPS=ngroups,
        NFRAMES=1, TGROUP=10.7, READPATT="NISRAPID", FILENAME="jw1_uncal.fits",
    )  # fmt: skip
    ramp = testing.make_ramp(data, **keywords)
    alone = columnjump.ColumnJumpStep().process(to_model(testing.make_ramp(data, **keywords)))
    spec = heliodor.plugins.registry().offers("stpipe:columnjump.ColumnJumpStep")[0].spec
    assert testing.run_step(spec, ramp).status == "COMPLETE"
    np.testing.assert_array_equal(ramp.data, alone.data)
    step = ramp.data[0, 4:, 700].mean() - ramp.data[0, :4, 700].mean()
    assert abs(step) < 50  # of 200; what it finds is what it takes away
    assert spec.status == "S_COLUMN"


# ------------------------------------------------------------------ ours as hooks


@pytest.mark.usefixtures("without_crds")
def test_our_step_is_a_hook_of_jwst(run, exposure):
    from heliodor_stpipe import hook
    from jwst.jump import JumpStep

    ramp = run(parameters={"save_calibrated_ramp": True}, skip=["jump"])["ramp"]
    files = {f"override_{name}": str(exposure.files[name]) for name in ("gain", "readnoise")}
    sharp = hook("jump", references=exposure.references, rejection_threshold=2.5)
    step = JumpStep(**files, post_hooks=[sharp])
    step.finalize_result = lambda *arguments: None
    result = step.run(ramp)
    plain = JumpStep(**files).process(ramp)
    alone = heliodor.run_step(
        "jump", plain, references=exposure.references, rejection_threshold=2.5
    )
    np.testing.assert_array_equal(result.groupdq, alone.groupdq)
    assert (result.groupdq != plain.groupdq).any()
    assert result.meta.filename == ramp.meta.filename


def test_a_hook_takes_several_models_and_gives_them_back(exposure, run):
    from heliodor_stpipe import hook
    from heliodor_stpipe.hooks import Hook

    done = run()
    models = (done["rate"], None, done["rateints"])
    models[0].meta.exposure.gain_factor = 2.0
    rate, nothing, rateints = hook("gain_scale").process(models)
    assert nothing is None
    np.testing.assert_array_equal(rate.data, models[0].data * np.float32(2))
    assert rateints.data.shape == models[2].data.shape
    by_text = Hook(step="jump", set=["rejection_threshold=-1"])
    with pytest.raises(heliodor.errors.UsageError, match="at least 0"):
        by_text.process(run(parameters={"save_calibrated_ramp": True})["ramp"])


def test_a_hook_cannot_give_products_of_another_kind(run, exposure):
    from heliodor_stpipe import hook

    ramp = run(parameters={"save_calibrated_ramp": True})["ramp"]
    with pytest.raises(heliodor.errors.UsageError, match="rate, rateints"):
        hook("ramp_fit", references=exposure.references).process(ramp)
