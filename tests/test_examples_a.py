"""The examples of `examples/` do what they say: steps of ramps, and of several exposures."""

from __future__ import annotations

from pathlib import Path

import heliodor
import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, PERSISTENCE, REFERENCE_PIXEL, SATURATED
from heliodor.plugins import registry
from heliodor.stepfiles import find
from heliodor.testing import (
    check_pieces,
    conformance,
    made_up_image,
    made_up_ramp,
    make_ramp,
    run_step,
)
from heliodor_detector.steps.ramp_fit import SPEC as RAMP_FIT
from heliodor_simulate import recovery, split

EXAMPLES = Path(__file__).parents[1] / "examples"


def step(example: str, name: str):
    """Give the declaration of a step of an example."""
    return find(f"{EXAMPLES / example / 'my_steps.py'}:{name}", registry()).spec


def saved_after(folder: Path, label: str, suffix: str) -> Path:
    """Write edits that keep the ramp as a step leaves it."""
    path = folder / f"save_{suffix}.yaml"
    path.write_text(
        f"extends: calwebb_detector1\nedits: [{{insert: {{save: {suffix}}}, after: {label}}}]\n"
    )
    return path


def status(result, label: str) -> list[str]:
    """Tell whether a step was done."""
    return [outcome.status for planned, outcome in result.outcomes if planned.label == label]


# ------------------------------------------------------------------ 24


@pytest.fixture(scope="module")
def coronagraph(simulated):
    return simulated("miri-coron", size=64, ngroups=5)


def test_24_the_edge_is_masked(coronagraph):
    edits = EXAMPLES / "24-edge-mask" / "edits.yaml"
    plain = heliodor.run(coronagraph.exposure, folders=coronagraph.references)
    masked = heliodor.run(
        coronagraph.exposure,
        folders=coronagraph.references,
        pipeline=edits,
        parameters={"edge_mask.width": 3},
    )
    with plain["rate"] as before, masked["rate"] as after:
        inside = (slice(3, -3), slice(3, -3))
        np.testing.assert_array_equal(after.dq[inside], before.dq[inside])
        np.testing.assert_array_equal(after.data[inside], before.data[inside])
        edge = np.ones(after.dq.shape, bool)
        edge[inside] = False
        assert (after.dq[edge] & DO_NOT_USE).all()
        assert not (before.dq[edge] & DO_NOT_USE).all()
        assert np.isnan(after.data[edge]).all()


def test_24_is_left_out_of_other_modes(small_nircam):
    plan = heliodor.plan(small_nircam.exposure, pipeline=EXAMPLES / "24-edge-mask" / "edits.yaml")
    (planned,) = [each for each in plan.steps if each.label == "edge_mask"]
    assert not planned.runs


def test_24_keeps_the_rules():
    conformance(step("24-edge-mask", "edge_mask"))


# ------------------------------------------------------------------ 8


@pytest.fixture(scope="module")
def time_series(simulated):
    return simulated("nircam-tsimage", size=64, nints=4, ngroups=4, without=("cosmic-rays",))


def test_08_the_bias_follows_every_integration(time_series, copied, tmp_path):
    with np.load(time_series.truth) as truth:
        bias = truth["bias"][:64, :64]
    levels = 1 + np.array([0.0, 0.02, -0.02, 0.04])

    def drift(hdus):
        drifted = hdus["SCI"].data + (levels[:, None, None, None] - 1) * bias
        hdus["SCI"].data = np.rint(drifted).astype(np.uint16)

    path = copied(time_series, change=drift)
    edits = EXAMPLES / "08-scaled-superbias" / "edits.yaml"
    options = dict(folders=time_series.references, skip=["refpix"])
    before = heliodor.run(path, pipeline=saved_after(tmp_path, "superbias", "nobias"), **options)
    after = heliodor.run(
        path, pipeline=[edits, saved_after(tmp_path, "scaled_superbias", "nobias")], **options
    )
    plain, scaled = (result.products["nobias"] for result in (before, after))
    inside = scaled.pixeldq & (REFERENCE_PIXEL | DO_NOT_USE) == 0

    def spread(ramp):
        """How much the level of the first group differs between integrations."""
        return np.std([np.median(image[inside]) for image in ramp.data[:, 0]])

    assert spread(scaled) < 0.1 * spread(plain)
    assert status(after, "scaled_superbias") == ["COMPLETE"]
    used = [
        {each.label: each.references for each in result.plan.steps} for result in (before, after)
    ]
    assert used[1]["scaled_superbias"]["superbias"] == used[0]["superbias"]["superbias"]


def test_08_without_reference_pixels_by_hand():
    bias = np.array([[1000.0, 2000.0], [1000.0, 2000.0]], np.float32)
    light = np.array([[[[0, 0], [300, 300]]]], np.float32) * np.arange(1, 4)[:, None, None]
    ramp = make_ramp(1.5 * bias + light)
    outcome = run_step(
        step("08-scaled-superbias", "scaled_superbias"), ramp,
        {"superbias": {"SCI": bias, "DQ": np.zeros((2, 2), np.uint32)}}, faintest=0.5,
    )  # fmt: skip
    assert outcome.status == "COMPLETE"
    np.testing.assert_allclose(ramp.data, light, atol=1e-3)


def test_08_keeps_the_rules():
    bias = np.full((130, 96), 1000.0, np.float32)
    references = {"superbias": {"SCI": bias, "DQ": np.zeros((130, 96), np.uint32)}}
    conformance(step("08-scaled-superbias", "scaled_superbias"), references=references)


# ------------------------------------------------------------------ 13


@pytest.fixture(scope="module")
def without_reference_pixels(simulated):
    return simulated(
        "nircam-imaging", subarray="SUB160", detector="NRCBLONG", nints=8, ngroups=3, sky=3.0
    )


def test_13_drifts_are_found_and_light_is_kept(without_reference_pixels, copied):
    case = without_reference_pixels
    drifts = np.random.default_rng(3).normal(0, 30, (4, 3))
    drifts = np.concatenate([drifts, -drifts])

    def drift(hdus):
        hdus["SCI"].data = np.rint(hdus["SCI"].data + drifts[..., None, None]).astype(np.uint16)

    path = copied(case, change=drift)
    edits = EXAMPLES / "13-pseudo-reference-pixels" / "edits.yaml"
    options = {"folders": case.references, "skip": ["jump"]}
    undisturbed = heliodor.run(case.exposure, **options)
    plain = heliodor.run(path, **options)
    wrapped = heliodor.run(path, pipeline=edits, **options)

    def levels(result):
        with result["rateints"] as rateints:
            return np.nanmedian(rateints.data[:, 8:-8, 8:-8], axis=(1, 2))

    assert status(plain, "refpix") == ["SKIPPED"]
    assert status(wrapped, "refpix") == ["COMPLETE"]
    assert np.std(levels(wrapped)) < 0.1 * np.std(levels(plain))
    np.testing.assert_allclose(levels(wrapped).mean(), levels(undisturbed).mean(), rtol=0.1)
    assert not (wrapped.products["rate"].planes["dq"] & REFERENCE_PIXEL).any()


def test_13_there_are_reference_pixels(small_nircam):
    edits = EXAMPLES / "13-pseudo-reference-pixels" / "edits.yaml"
    plain = heliodor.run(small_nircam.exposure, folders=small_nircam.references)
    wrapped = heliodor.run(small_nircam.exposure, folders=small_nircam.references, pipeline=edits)
    np.testing.assert_array_equal(
        wrapped.products["rate"].planes["data"], plain.products["rate"].planes["data"]
    )


def test_13_keeps_the_rules():
    spec = step("13-pseudo-reference-pixels", "PseudoReferencePixels")
    conformance(spec, made_up_ramp())


# ------------------------------------------------------------------ 5


@pytest.fixture(scope="module")
def striped(simulated):
    return simulated("nircam-imaging", size=128, ngroups=5)


def test_05_stripes_are_taken_out(striped):
    edits = EXAMPLES / "05-group-stripes" / "edits.yaml"
    plain = heliodor.run(striped.exposure, folders=striped.references)
    cleaned = heliodor.run(striped.exposure, folders=striped.references, pipeline=edits)

    def stripes(result):
        """How much the background differs between rows."""
        return np.std(np.nanmedian(result.products["rate"].planes["data"][8:, 8:], axis=1))

    assert stripes(cleaned) < 0.6 * stripes(plain)
    (outcome,) = [each for step, each in cleaned.outcomes if step.label == "GroupStripes"]
    assert [step.label for step, _ in outcome.calls] == ["GroupStripes/ramp_fit"]
    before, after = (result.products["rate"].planes["data"] for result in (plain, cleaned))
    assert abs(np.nanmedian(after - before)) < 0.1 * stripes(plain)


def test_05_keeps_the_rules():
    ramp = made_up_ramp()
    ramp.keywords.update({"FASTAXIS": 1, "INSTRUME": "NIRCAM"})
    references = {name: np.full((130, 96), 5, np.float32) for name in ("gain", "readnoise")}
    spec = step("05-group-stripes", "GroupStripes")
    conformance(spec, ramp, references)  # it calls the ramp_fit that is installed
    after, outcome = check_pieces(spec, ramp, references, calls=[RAMP_FIT])
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(after.data[:, 0], ramp.data[:, 0])


# ------------------------------------------------------------------ 12


def test_12_slopes_and_jumps_are_recovered(simulated):
    stripes = ("1/f", "amplifiers", "odd-even")
    case = simulated("nircam-imaging", size=256, ngroups=8, nints=2, without=stripes)
    edits = EXAMPLES / "12-jump-and-slope" / "edits.yaml"
    result = heliodor.run(case.exposure, folders=case.references, pipeline=edits)
    assert status(result, "JumpAndSlope") == ["COMPLETE"]
    assert status(result, "jump") == status(result, "ramp_fit") == ["SKIPPED"]
    rate, rateints = (result.products[name].planes for name in ("rate", "rateints"))
    clean = (rateints["dq"] == 0).all(axis=0)
    mean = rateints["data"].mean(axis=0)
    np.testing.assert_allclose(rate["data"][clean], mean[clean], rtol=1e-4, atol=1e-5)
    truth = recovery.read_truth(case.truth)
    pulls = recovery.pulls(rate["data"], rate["err"], rate["dq"], truth)
    low, middle, high = np.nanpercentile(pulls, [16, 50, 84])
    assert abs(middle) < 0.1
    assert (high - low) / 2 == pytest.approx(1, abs=0.1)
    # hits between groups, in pixels that can tell
    hits = truth["hits"]
    hits = hits[(hits["electrons"] > 200) & (hits["group"] > 0)]
    dq = rateints["dq"][hits["integ"], hits["y"], hits["x"]]
    dq = dq[dq & (DO_NOT_USE | SATURATED) == 0]
    assert dq.size > 10
    assert np.mean(dq & JUMP_DET > 0) > 0.95
    assert np.mean(rate["dq"] & JUMP_DET > 0) < 0.05


def test_12_by_hand():
    data = np.array([10.0, 20, 30, 1040, 1050, 1060])[None, :, None, None]
    ramp = make_ramp(data, TGROUP=2.0, NFRAMES=1)
    references = {"gain": np.full((1, 1), 2.0), "readnoise": np.full((1, 1), 3.0)}
    outcome = run_step(step("12-jump-and-slope", "JumpAndSlope"), ramp, references)
    assert ramp.groupdq[0, :, 0, 0].tolist() == [0, 0, 0, 4, 0, 0]
    rate = {name: plane[0, 0] for name, plane in outcome.products["rate"].planes.items()}
    assert rate["data"] == pytest.approx(5.0)
    assert rate["var_poisson"] == pytest.approx(10 / 2 / 4 / 2.0**2)
    assert rate["var_rnoise"] == pytest.approx(3.0**2 * 2 / (4 * 2.0) ** 2)
    assert rate["dq"] == 4


def test_12_keeps_the_rules():
    references = {name: np.full((130, 96), 5, np.float32) for name in ("gain", "readnoise")}
    conformance(step("12-jump-and-slope", "JumpAndSlope"), references=references)


# ------------------------------------------------------------------ 9


@pytest.fixture(scope="module")
def whole(simulated):
    return simulated("niriss-soss", size=64, nints=6, ngroups=3, without=("cosmic-rays",))


def test_09_segments_are_cleaned_as_one(whole, copied, tmp_path):
    edits = EXAMPLES / "09-stripes-of-all-segments" / "edits.yaml"
    options = {"folders": whole.references, "skip": ["jump"]}
    keep = saved_after(tmp_path, "StackedStripes", "cleaned")
    plain = heliodor.run(whole.exposure, **options)
    at_once = heliodor.run(whole.exposure, pipeline=[edits, keep], **options)
    parts = heliodor.run_all(split(copied(whole), 3), pipeline=[edits, keep], **options)
    joined = np.concatenate([part.products["cleaned"].data for part in parts])
    np.testing.assert_array_equal(joined, at_once.products["cleaned"].data)

    def scatter(result):
        """How much lines along the fast axis differ between integrations."""
        axis = 2 if abs(result.plan.exposure.keywords["FASTAXIS"]) == 1 else 1
        lines = np.nanmedian(result.products["rateints"].planes["data"], axis=axis)
        return np.nanmedian(np.std(lines, axis=0))

    assert scatter(at_once) < 0.5 * scatter(plain)


def test_09_keeps_the_rules():
    ramps = [made_up_ramp(), made_up_ramp(seed=2)]
    for ramp in ramps:
        ramp.keywords["FASTAXIS"] = 1
    conformance(step("09-stripes-of-all-segments", "StackedStripes"), ramps)


# ------------------------------------------------------------------ 2


def test_02_flags_reach_later_exposures(simulated, copied, tmp_path):
    example = EXAMPLES / "02-persistence-flags"
    case = simulated("nircam-imaging", size=64, ngroups=6, sky=(10.0, 3000.0))
    start = 60000.0
    hours = {1: 0.0, 2: 0.5, 3: 24.0}
    raw = [
        copied(
            case,
            f"jw01234001001_02101_0000{number}_nrca1_uncal.fits",
            EXPSTART=start + after / 24,
            EXPEND=start + after / 24 + 0.001,
        )
        for number, after in hours.items()
    ]
    out = {"out": tmp_path, "save": True}
    done = heliodor.run_all(
        raw, folders=case.references, pipeline=example / "keep_jump.yaml", **out
    )
    rates = [result.paths["rate"] for result in done]
    flagged = heliodor.run_all(rates, pipeline=example / "persistence.yaml", **out)
    saturated = (done[0]["jump"].groupdq & SATURATED > 0).any(axis=(0, 1))
    assert 0 < saturated.sum() < saturated.size / 2
    flags = [result["persistflags"].dq & PERSISTENCE > 0 for result in flagged]
    assert not flags[0].any()
    np.testing.assert_array_equal(flags[1], saturated)
    assert not flags[2].any()


def test_02_keeps_the_rules():
    images, ramps = [made_up_image(), made_up_image(seed=2)], [made_up_ramp(), made_up_ramp(seed=2)]
    for number, pair in enumerate(zip(images, ramps, strict=True)):
        for one in pair:
            when = 60000.0 + number / 48
            one.keywords.update({"DETECTOR": "NRCA1", "EXPSTART": when, "EXPEND": when})
    inputs = [{"ramp": ramp} for ramp in ramps]
    spec = step("02-persistence-flags", "PersistenceFlags")
    conformance(spec, images, inputs=inputs)
    (_, later), _ = check_pieces(spec, images, inputs=inputs)
    assert (later.planes["dq"] & PERSISTENCE).any()
