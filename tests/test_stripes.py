"""Exposures in stripes, from the file to slopes: they recover the truth, line by line."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor import exposures, memory, plans, scratch
from heliodor.bits import PIXEL
from heliodor.products import write_ramp
from heliodor_simulate import recovery
from stdatamodels.jwst import datamodels

QUIET = ("sources", "coupling", "cosmic-rays", "snowballs")
DRIFTS = ("1/f", "amplifiers", "odd-even")

SUPERSTRIPES = (
    "nircam-imaging",
    {"subarray": "SUB64P_SUPSTP008", "sky": 20000.0, "nints": 3, "without": (*QUIET, *DRIFTS)},
)
WITH_REFERENCE_PIXELS = (
    "niriss-soss",
    {"subarray": "SUB680STRIPE_SOSS", "sky": 300.0, "without": (*QUIET, "1/f")},
)
STRIPES = (
    "nircam-tsgrism",
    {"subarray": "SUB164STRIPE4_DHS", "sky": 300.0, "ngroups": 4, "without": (*QUIET, "1/f")},
)


@pytest.fixture(scope="module")
def calibrated(simulated):
    """Calibrate an exposure of a mode; returns case and result, made once."""
    made = {}

    def calibrate(mode, arguments):
        key = arguments["subarray"]
        if key not in made:
            case = simulated(mode, **arguments)
            made[key] = case, heliodor.run(case.exposure, folders=case.references)
        return made[key]

    return calibrate


def check_slopes(result, truth, lines):
    """Hold slopes against the truth of the window at (rows, columns) `lines`."""
    rate = result["rate"]
    expected = recovery.true_slope(truth)[lines]
    good = (rate.dq & 1) == 0
    good &= truth["mask"][lines] == 0
    pull = ((rate.data - expected) / rate.err)[good]
    assert rate.data.shape == expected.shape
    assert good.mean() > 0.9
    assert abs(np.median(pull)) < 0.05
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.07)
    return good


def test_superstripes_become_one_array(calibrated):
    case, result = calibrated(*SUPERSTRIPES)
    check_slopes(result, recovery.read_truth(case.truth), np.s_[1816:1880])
    rateints = result["rateints"]
    assert rateints.data.shape == (3, 64, 64)
    assert rateints.meta.exposure.nints == 3
    assert (rateints.meta.exposure.integration_start, rateints.meta.exposure.integration_end) == (
        1,
        3,
    )
    array = rateints.meta.subarray
    assert (array.xstart, array.ystart, array.xsize, array.ysize) == (1851, 1817, 64, 64)
    assert array.num_superstripe is None
    assert array.multistripe_reads1 is None


def test_each_superstripe_keeps_its_times(calibrated):
    case, result = calibrated(*SUPERSTRIPES)
    rateints = result["rateints"]
    assert len(rateints.int_times) == 3
    assert len(rateints.int_times_stripe) == 24
    raw = fits.getdata(case.exposure, "INT_TIMES")
    starts = rateints.int_times_stripe["int_start_MJD_UTC"]
    np.testing.assert_array_equal(starts, raw["int_start_MJD_UTC"])
    np.testing.assert_array_equal(rateints.int_times["int_start_MJD_UTC"], starts[::8])


def test_superstripes_with_reference_pixels_fill_the_detector(calibrated):
    case, result = calibrated(*WITH_REFERENCE_PIXELS)
    truth = recovery.read_truth(case.truth)
    good = check_slopes(result, truth, np.s_[:])
    rate = result["rate"]
    assert rate.data.shape == (256, 2048)
    # the last four rows of the window see no light, and nobody read the columns at either side
    assert good[:252, 4:2044].mean() > 0.95
    assert (rate.dq[:, [0, 3, 2044, 2047]] == PIXEL["REFERENCE_PIXEL"]).all()
    assert rate.meta.subarray.xstart == 1
    assert rate.meta.exposure.type == "NIS_SOSS"


def test_stripes_stay_together(calibrated):
    case, result = calibrated(*STRIPES)
    lines = np.concatenate([np.r_[0, first : first + 40] for first in (1527, 1652, 1777, 1902)])
    truth = recovery.read_truth(case.truth)
    check_slopes(result, truth, (lines, slice(None)))
    array = result["rate"].meta.subarray
    assert (array.ystart, array.ysize, array.multistripe_reads2) == (1, 164, 40)
    assert result["rate"].meta.exposure.type == "NRC_TSGRISM"
    assert len(result["rateints"].int_times) == 1


def test_a_saved_ramp_of_superstripes_goes_on_to_the_same_slopes(simulated, calibrated, tmp_path):
    case, result = calibrated(*SUPERSTRIPES)
    edits = tmp_path / "save.yaml"
    edits.write_text(
        "extends: calwebb_detector1\nedits: [{insert: {save: bias}, after: superbias}]\n"
    )
    done = heliodor.run(
        case.exposure, folders=case.references, pipeline=edits, out=tmp_path, save=True
    )
    with datamodels.open(done.paths["bias"]) as model:
        assert isinstance(model, datamodels.SuperstripeRampModel)
        assert model.pixeldq.shape == (8, 8, 64)
    ramp = exposures.read_ramp(exposures.look(done.paths["bias"]))
    assert ramp.stripes.lines.shape == (8, 8)
    again = heliodor.run(
        done.paths["bias"],
        folders=case.references,
        skip=("group_scale", "dq_init", "saturation", "superbias"),
    )
    for name in ("data", "err", "dq"):
        expected = getattr(result["rate"], name)
        np.testing.assert_array_equal(getattr(again["rate"], name), expected)


def test_single_steps_take_superstripes_and_join_them(calibrated):
    case, _ = calibrated(*SUPERSTRIPES)
    with fits.open(case.exposure) as hdus:
        hdus["SCI"].data = hdus["SCI"].data.astype(np.float32)
        ramp = datamodels.SuperstripeRampModel(hdus)
    flagged = heliodor.run_step("dq_init", ramp, references=case.references)
    assert flagged.pixeldq.shape == (8, 8, 64)
    joined = heliodor.run_step("refpix", flagged)
    assert joined.data.shape == (3, 5, 64, 64)
    assert type(joined) is datamodels.RampModel
    assert len(joined.int_times_stripe) == 24


def test_refpix_cannot_be_left_out(calibrated):
    case, _ = calibrated(*SUPERSTRIPES)
    with pytest.raises(heliodor.errors.StepError, match=r"linearity needs joined superstripes"):
        heliodor.run(case.exposure, folders=case.references, skip=("refpix",))


def test_the_plan_counts_both_ramps(calibrated):
    case, _ = calibrated(*SUPERSTRIPES)
    plan = heliodor.plan(case.exposure, folders=case.references)
    assert plan.memory.cube == 2 * 4 * np.prod(plan.exposure.shape)


def test_superstripes_on_scratch(calibrated, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "ROOM", 0)
    monkeypatch.setattr(memory, "RESERVE", -(10 << 20))
    monkeypatch.setattr(plans, "RESERVE", -(10 << 20))
    monkeypatch.setattr(scratch, "SMALL", 1)
    case, usual = calibrated(*SUPERSTRIPES)
    limited = {"max_memory": memory.BASE - (4 << 20), "scratch": tmp_path}
    assert heliodor.plan(case.exposure, folders=case.references, **limited).on_scratch
    result = heliodor.run(case.exposure, folders=case.references, threads=2, **limited)
    for name in ("rate", "rateints"):
        for plane in ("data", "err", "dq", "var_poisson", "var_rnoise"):
            expected = np.array(getattr(usual[name], plane))
            assert np.array(getattr(result[name], plane)).tobytes() == expected.tobytes()


def test_early_exposures_of_the_dispersed_sensor_say_wrongly_where_they_begin(calibrated, tmp_path):
    case, _ = calibrated(*STRIPES)
    wrong = tmp_path / case.exposure.name
    wrong.write_bytes(case.exposure.read_bytes())
    fits.setval(wrong, "SUBSTRT2", value=800)
    read = [exposures.read_ramp(exposures.look(path)).stripes for path in (case.exposure, wrong)]
    np.testing.assert_array_equal(read[0].lines, read[1].lines)


def test_times_of_repeated_stripes_go_with_the_ramp(make_repeats, tmp_path):
    """Groups follow each other unevenly: the ramp says so, in a file and in memory."""
    path = make_repeats()
    joined = heliodor.run_step("refpix", path)
    assert joined.data.shape == (2, 12, 4, 64)
    times = np.array(joined.meta.exposure.read_times)
    # the first repeat after a reset of its own lines, the next ones without
    first, step = 76 * 4e-5, 76 * 2e-5
    np.testing.assert_allclose(
        times[:5, 0], [first, *(first + step * np.arange(1, 4)), 2 * first + 3 * step]
    )
    joined.save(tmp_path / "joined_ramp.fits")
    ramp = exposures.read_ramp(exposures.look(tmp_path / "joined_ramp.fits"))
    np.testing.assert_array_equal(ramp.read_times, times)
    ramp = exposures.read_ramp_from_model(joined)
    np.testing.assert_array_equal(ramp.read_times, times)
    written = write_ramp(ramp, tmp_path / "again_ramp.fits")
    np.testing.assert_array_equal(exposures.read_ramp(exposures.look(written)).read_times, times)
    assert exposures.read_ramp(exposures.look(path)).read_times is None


@pytest.fixture
def make_repeats(tmp_path):
    """Write an exposure that reads each of four lines four times a frame."""

    def make():
        model = datamodels.SuperstripeRampModel(np.ones((8, 3, 8, 64), np.float32))
        model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCB1"
        exposure, array = model.meta.exposure, model.meta.subarray
        exposure.type, exposure.readpatt = "NRC_IMAGE", "RAPID"
        exposure.nints, exposure.ngroups, exposure.nframes, exposure.noutputs = 8, 3, 1, 1
        exposure.group_time = exposure.frame_time = 0.0076
        array.name, array.fastaxis, array.slowaxis = "SUB64P_SUPSTP002", 1, -2
        array.xstart, array.xsize, array.ystart, array.ysize = 1851, 64, 2046, 8
        array.multistripe_reads1, array.multistripe_skips1 = 1, 165
        array.multistripe_reads2, array.multistripe_skips2 = 1, 0
        array.repeat_stripe, array.interleave_reads1 = 1, 0
        array.superstripe_step, array.num_superstripe = 1, 4
        path = tmp_path / "repeats_ramp.fits"
        model.save(path)
        return path

    return make
