"""The pipeline of guide stars, from raw files to calibrated images."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import PIXEL
from heliodor.errors import ExposureError
from stdatamodels.jwst import datamodels

TABLES = (
    "planned_star_table", "flight_star_table", "pointing_table", "centroid_table",
    "track_sub_table",
)  # fmt: skip


@pytest.fixture(scope="module")
def done(each_kind, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    run = heliodor.run(each_kind.exposure, references=each_kind.files, out=out, save=True)
    with datamodels.open(run.paths["cal"]) as model:
        yield model


def test_rates_are_near_the_truth(each_kind, done):
    """A star of 900 DN in each group, in a pixel without a flat or with one of about 1."""
    nints, _, ny, nx = each_kind.shape
    identified = done.meta.exposure.type.startswith("FGS_ID")
    assert type(done) is datamodels.GuiderCalModel
    assert done.data.shape == done.err.shape == (1 if identified else nints, ny, nx)
    assert done.dq.shape == (ny, nx)
    groups = 4 if done.meta.exposure.type == "FGS_FINEGUIDE" else 1
    core = np.s_[:, ny // 2 - 1 : ny // 2 + 2, nx // 2 - 1 : nx // 2 + 2]
    y, x = np.mgrid[-1:2, -1:2]
    star = 900 * groups * np.exp(-(y**2 + x**2) / 4) / each_kind.tgroup
    off = (done.data[core] - star) / np.hypot(done.err[core], 0.08 * star)
    assert np.nanmax(np.abs(off)) < 6


def test_tables_and_their_keywords_go_on(each_kind, done):
    with datamodels.GuiderRawModel(each_kind.exposure) as raw:
        for name in TABLES:
            ours, theirs = getattr(done, name), getattr(raw, name)
            assert len(ours) == 3
            for column in theirs.dtype.names:
                np.testing.assert_array_equal(ours[column], theirs[column])
        assert done.meta.guide_star_state == raw.meta.guide_star_state == "FINE_GUIDE"
        assert done.meta.jitter_average == raw.meta.jitter_average


def test_steps_are_recorded(done):
    stacked = done.meta.exposure.type == "FGS_ID-STACK"
    assert done.meta.cal_step.dq_init == "COMPLETE"
    assert done.meta.cal_step.guider_cds == "COMPLETE"
    assert done.meta.cal_step.flat_field == ("SKIPPED" if stacked else "COMPLETE")
    assert done.meta.bunit_data == "DN/s"


def test_the_mask_is_in_the_flags(each_kind):
    """Of the detector its part, of stacked strips the whole."""
    given = {**each_kind.files, "flat": "N/A"}
    flags = heliodor.run(each_kind.exposure, references=given)["cal"].dq
    (x, y), (ny, nx) = each_kind.corner, flags.shape
    mask = fits.getdata(each_kind.files["mask"], "DQ")[y : y + ny, x : x + nx]
    expected = np.array([0, PIXEL["DO_NOT_USE"], PIXEL["HOT"], PIXEL["DO_NOT_USE"] | PIXEL["HOT"]])
    np.testing.assert_array_equal(flags, expected[mask])


def test_without_a_flat_the_images_are_written_as_they_are(guide_star):
    case = guide_star("FGS_ACQ2")
    result = heliodor.run(case.exposure, references={**case.files, "flat": "N/A"})["cal"]
    raw = fits.getdata(case.exposure).astype(np.float32)
    rate = (raw[:, 1] - raw[:, 0]) / np.float32(case.tgroup)
    np.testing.assert_array_equal(result.data, rate)
    assert result.meta.cal_step.flat_field == "SKIPPED"


def test_stacked_strips_get_the_mean_of_gain_and_read_noise(guide_star):
    case = guide_star("FGS_ID-STACK")
    result = heliodor.run(case.exposure, references=case.files)["cal"]
    mean = {kind: fits.getdata(case.files[kind]).mean() for kind in ("gain", "readnoise")}
    light = np.maximum(result.data, 0) / mean["gain"]
    expected = np.sqrt(2 * (mean["readnoise"] / case.tgroup) ** 2 + light)
    np.testing.assert_allclose(result.err, expected, rtol=1e-6)


def test_step_by_step_in_memory(guide_star):
    case = guide_star("FGS_FINEGUIDE")
    whole = heliodor.run(case.exposure, references=case.files)["cal"]
    with datamodels.GuiderRawModel(case.exposure) as raw:
        flagged = heliodor.run_step("dq_init", raw, references=case.only("mask"))
    assert type(flagged) is datamodels.GuiderRawModel
    assert not hasattr(flagged, "groupdq")
    noise = case.only("gain", "readnoise")
    rates = heliodor.run_step("guider_cds", flagged, references=noise)["cal"]
    result = heliodor.run_step("flat_field", rates, references=case.only("flat"))
    for plane in ("data", "err", "dq"):
        np.testing.assert_array_equal(getattr(result, plane), getattr(whole, plane))
    assert len(result.pointing_table) == 3


def test_one_group_is_too_few(guide_star, tmp_path):
    case = guide_star("FGS_TRACK")
    path = tmp_path / case.exposure.name
    with fits.open(case.exposure) as hdus:
        hdus["SCI"].data = hdus["SCI"].data[:, :1]
        hdus.writeto(path)
    with pytest.raises(ExposureError, match="a rate needs two groups"):
        heliodor.run(path, references=case.files)


def test_keywords_of_slope_fitting_are_not_asked_for(guide_star, tmp_path):
    case = guide_star("FGS_ACQ1")
    path = tmp_path / case.exposure.name
    with fits.open(case.exposure) as hdus:
        for name in ("READPATT", "NFRAMES", "DATAMODL"):
            del hdus[0].header[name]
        hdus[0].header["NGROUPS"] = 4
        hdus.writeto(path)
    result = heliodor.run(path, references=case.files)["cal"]
    expected = heliodor.run(case.exposure, references=case.files)["cal"]
    np.testing.assert_array_equal(result.data, expected.data)
    with fits.open(case.exposure) as hdus:
        del hdus[0].header["TGROUP"]
        hdus.writeto(path, overwrite=True)
    with pytest.raises(ExposureError, match=r"lacks the keyword\(s\) TGROUP"):
        heliodor.run(path, references=case.files)
