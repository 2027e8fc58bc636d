import sys
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import sigma_clipped_stats
from heliodor.bits import DO_NOT_USE, JUMP_DET
from heliodor.engine import execute
from heliodor.errors import NotYetError, UsageError
from heliodor_detector.steps.clean_flicker_noise import SPEC, autoparam
from heliodor_detector.steps.clean_flicker_noise.autoparam import NIRCAM, NIRISS, Look, decide
from heliodor_detector.steps.clean_flicker_noise.params import CleanFlickerNoiseParams
from heliodor_detector.steps.ramp_fit import SPEC as RAMP_FIT
from heliodor_detector.steps.ramp_fit.params import RampFitParams

SHAPE = (2, 5, 36, 40)


def striped(slow_axis=2, drift=8.0):
    """Ramps of a sky with stars, with noise of the read-out that is common to lines."""
    rng = np.random.default_rng(1)
    nints, ngroups, ny, nx = SHAPE
    rate = np.full((ny, nx), 20.0)
    rate[10:14, 20:25] = 400
    rate[30, 5] = 900
    groups = np.arange(1, ngroups + 1)[:, None, None]
    lines = (nints, ngroups, 1, nx) if slow_axis == 1 else (nints, ngroups, ny, 1)
    data = rate * groups + rng.normal(0, drift, lines) + rng.normal(0, 1, SHAPE)
    groupdq = np.zeros(SHAPE, np.uint8)
    groupdq[:, 2, 3, :7] = JUMP_DET
    groupdq[0, 3:, 8, 9:12] = DO_NOT_USE
    return data.astype(np.float32), groupdq


@pytest.fixture
def exposure(make_ramp, make_reference):
    """Make a ramp and its references; keywords may be changed."""

    def make(data, groupdq=None, flat=None, **changed):
        keywords = {
            "EXP_TYPE": "NRC_IMAGE",
            "DETECTOR": "NRCA1",
            "SUBARRAY": "SUB64P",
            "SLOWAXIS": 2,
            "NFRAMES": 1,
            "TGROUP": 10.0,
            "TFRAME": 10.0,
        }
        ramp = make_ramp(data, groupdq, **(keywords | changed))
        ny, nx = ramp.shape[-2:]
        planes = {"gain": np.full((ny, nx), 2, "f4"), "readnoise": np.full((ny, nx), 8, "f4")}
        if flat is not None:
            planes["flat"] = flat
        return ramp, {name: make_reference(name, ramp, SCI=p) for name, p in planes.items()}

    return make


def clean(exposure, *, how=None, **params):
    ramp, references = exposure
    return execute(
        SPEC, ramp, CleanFlickerNoiseParams(skip=False, **params), references, **(how or {})
    )


def draft(exposure, name="rate"):
    ramp, references = exposure
    return execute(RAMP_FIT, ramp, RampFitParams(), references).products[name].planes["data"]


def statistics(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sigma_clipped_stats(values.astype(np.float64), sigma=3.0)


def clip_plainly(image, mask, below, above, lower_half=True):
    _, center, sigma = statistics(image[mask])
    if lower_half:
        low = image[mask & (image <= center)].astype(np.float64)
        sigma = statistics(np.concatenate([low, 2 * center - low]))[2]
    mask &= ~((image < center - below * sigma) | (image > center + above * sigma))


def mask_plainly(rate, n_sigma=2.0):
    mask = ~(np.isnan(rate) | (rate == 0))
    clip_plainly(rate, mask, 3.0, n_sigma, lower_half=False)
    return mask


def clean_plainly(image, mask, axis, method="median", n_sigma=2.0):
    """Clean one image; give the result and its background."""
    unknown = np.isnan(image)
    image, mask = np.where(unknown, np.float32(0), image), mask & ~unknown
    level = np.float32(0)
    if method is not None:
        clip_plainly(image, mask, 3.0, 3.0)
        level = np.median(image[mask])
        image = image - level
        clip_plainly(image, mask, n_sigma, n_sigma)
    lines = np.ma.median(np.ma.array(image, mask=~mask), axis=axis, keepdims=True)
    image = image - np.ma.filled(lines, 0.0) + level
    image[unknown] = np.nan
    return image, level


def differences_plainly(data, groupdq, masks, axis, **how):
    out, levels = data.copy(), np.zeros_like(data)
    for i in range(data.shape[0]):
        for g in range(1, data.shape[1]):
            usable = masks[i] & ((groupdq[i, g] & (DO_NOT_USE | JUMP_DET)) == 0)
            step, levels[i, g] = clean_plainly(data[i, g] - data[i, g - 1], usable, axis, **how)
            out[i, g] = out[i, g - 1] + step
    return out, levels


@pytest.mark.parametrize("slow_axis", [1, 2])
def test_b05_stripes_are_removed_and_stars_stay(exposure, slow_axis):
    data, groupdq = striped(slow_axis, drift=1.0)
    made = exposure(data, groupdq, SLOWAXIS=-slow_axis)
    assert clean(made).status == "COMPLETE"
    before, after = np.diff(data, axis=1), np.diff(made[0].data, axis=1)
    lines = [each[:, :, 15:29, :18].mean(axis=slow_axis + 1) for each in (before, after)]
    assert lines[0].std(axis=-1).mean() > 1
    assert lines[1].std(axis=-1).mean() < 0.5
    assert abs(after[:, :, 10:14, 20:25].mean() - 400) < 1
    np.testing.assert_array_equal(made[0].data[:, 0], data[:, 0])
    np.testing.assert_array_equal(made[0].groupdq, groupdq)


@pytest.mark.parametrize("method", ["median", None])
@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("slow_axis", [1, 2])
def test_b05_the_same_as_plainly(exposure, method, single, slow_axis):
    data, groupdq = striped(slow_axis)
    made = exposure(data, groupdq, SLOWAXIS=slow_axis)
    rates = [draft(made)] * 2 if single else draft(made, "rateints")
    masks = [mask_plainly(rate) for rate in rates]
    expected, levels = differences_plainly(data, groupdq, masks, slow_axis - 1, method=method)
    outcome = clean(
        made,
        background_method=method,
        single_mask=single,
        save_mask=True,
        save_background=True,
        save_noise=True,
    )
    np.testing.assert_array_equal(made[0].data, expected)
    products = {name: product.planes["data"] for name, product in outcome.products.items()}
    np.testing.assert_array_equal(products["mask"], masks[0] if single else masks)
    np.testing.assert_array_equal(products["flicker_bkg"], levels)
    np.testing.assert_array_equal(products["flicker_noise"], expected - data)
    assert outcome.products["mask"].model == ("ImageModel" if single else "CubeModel")


@pytest.mark.parametrize("n_sigma", [0, 3.0])
def test_clipping_of_the_scene_can_be_changed_or_left_out(exposure, n_sigma):
    data, groupdq = striped()
    made = exposure(data, groupdq)
    rate = draft(made)
    mask = mask_plainly(rate, n_sigma) if n_sigma else ~np.isnan(rate) & (rate != 0)
    expected = data.copy()
    for i in range(2):
        for g in range(1, 5):
            usable = mask & (groupdq[i, g] == 0)
            step = data[i, g] - data[i, g - 1]
            if n_sigma:
                step, _ = clean_plainly(step, usable, 1, n_sigma=n_sigma)
            else:
                clip_plainly(step, usable, 3.0, 3.0)
                level = np.median(step[usable])
                step, _ = clean_plainly(step - level, usable, 1, method=None)
                step += level
            expected[i, g] = expected[i, g - 1] + step
    clean(made, n_sigma=n_sigma)
    np.testing.assert_array_equal(made[0].data, expected)


def test_groups_less_their_scaled_median_over_integrations(exposure):
    data, groupdq = striped()
    data[1] *= 1.5
    made = exposure(data, groupdq)
    rates = draft(made, "rateints")
    brightness = np.nanmedian(rates, axis=(1, 2))
    brightness /= np.median(brightness)
    median = brightness[:, None, None, None] * np.median(data, axis=0)
    expected = np.empty_like(data)
    for i, g in np.ndindex(2, 5):
        residual = data[i, g] - median[i, g]
        cleaned, _ = clean_plainly(residual, mask_plainly(rates[i]), 1, method=None)
        expected[i, g] = median[i, g] + cleaned
    outcome = clean(made, background_method="median_image", save_background=True)
    np.testing.assert_array_equal(made[0].data, expected)
    np.testing.assert_array_equal(outcome.products["flicker_bkg"].planes["data"], median)


@pytest.mark.parametrize("method", ["median", "median_image", None])
def test_strips_and_threads_make_no_difference(exposure, method):
    data, groupdq = striped()
    results = []
    for how in ({}, {"strip": 7, "threads": 3}):
        made = exposure(data, groupdq.copy())
        clean(made, how=how, background_method=method)
        results.append(made[0].data)
    np.testing.assert_array_equal(*results)


def test_a_group_without_background_stays_as_it_is_and_the_next_is_cleaned(exposure):
    data, groupdq = striped()
    groupdq[0, 2] = DO_NOT_USE
    made = exposure(data, groupdq)
    clean(made)
    np.testing.assert_array_equal(made[0].data[0, 2], data[0, 2])
    assert (made[0].data[0, 3] != data[0, 3]).any()


def test_values_that_are_not_numbers_stay_so(exposure):
    data, groupdq = striped()
    data[0, 2, 5, 6] = np.nan
    made = exposure(data, groupdq)
    clean(made)
    lost = np.isnan(made[0].data)
    assert lost[0, 2:, 5, 6].all()
    assert lost.sum() == 3


def test_a_users_mask_replaces_the_draft(exposure, tmp_path):
    data, groupdq = striped()
    mask = np.zeros(SHAPE[-2:])
    mask[:, :15] = 7
    path = tmp_path / "mask.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(mask, name="SCI")]).writeto(path)
    made = exposure(data, groupdq)
    outcome = clean(made, user_mask=str(path), save_mask=True)
    expected, _ = differences_plainly(data, groupdq, [mask > 0] * 2, 1)
    np.testing.assert_array_equal(made[0].data, expected)
    np.testing.assert_array_equal(outcome.products["mask"].planes["data"], mask > 0)


@pytest.mark.parametrize("missing", ["no.fits", "text.fits"])
def test_a_mask_that_cannot_be_read_is_an_error(exposure, tmp_path, missing):
    (tmp_path / "text.fits").write_text("no mask")
    with pytest.raises(UsageError, match=missing):
        clean(exposure(*striped()), user_mask=str(tmp_path / missing))


def test_a_flat_is_divided_by_and_put_back(exposure, tmp_path):
    data, groupdq = striped()
    flat = np.ones(SHAPE[-2:], np.float32)
    flat[:, 20:] = 0.5
    shaded = exposure(data * flat, groupdq, flat=flat)
    even = exposure(data, groupdq)
    path = tmp_path / "mask.fits"
    fits.PrimaryHDU(np.ones(flat.shape)).writeto(path)
    clean(shaded, apply_flat_field=True, user_mask=str(path))
    clean(even, user_mask=str(path))
    # powers of two: rounding is the same
    np.testing.assert_array_equal(shaded[0].data / flat, even[0].data)


def test_gaps_of_a_flat_are_filled(exposure):
    pytest.importorskip("photutils")
    flat = np.full(SHAPE[-2:], 0.5, np.float32)
    flat[3, 4], flat[5, 6] = 0, np.nan
    made = exposure(*striped(), flat=flat)
    clean(made, apply_flat_field=True)
    assert np.isfinite(made[0].data).all()


def test_without_a_flat_it_is_cleaned_without(exposure, caplog):
    data, groupdq = striped()
    made, plain = exposure(data, groupdq), exposure(data, groupdq)
    clean(made, apply_flat_field=True)
    clean(plain)
    np.testing.assert_array_equal(made[0].data, plain[0].data)
    assert "no flat" in caplog.text


def test_a_model_of_the_background_needs_photutils(exposure, monkeypatch):
    monkeypatch.setitem(sys.modules, "photutils.background", None)
    with pytest.raises(UsageError, match=r"heliodor-detector\[flicker\]"):
        clean(exposure(*striped()), background_method="model")


def test_a_sloping_background_is_kept_by_its_model(exposure):
    pytest.importorskip("photutils")
    data, groupdq = striped()
    slope = np.linspace(0, 300, SHAPE[3]) * np.arange(5)[:, None, None]
    made = exposure((data + slope).astype(np.float32), groupdq)
    outcome = clean(
        made, background_method="model", background_box_size=[6, 5], save_background=True
    )
    level = outcome.products["flicker_bkg"].planes["data"][:, 1:]
    inside = np.s_[:, :, :, 8:-8]
    expected = np.broadcast_to(20 + np.linspace(0, 300, SHAPE[3]), level.shape)
    np.testing.assert_allclose(level[inside], expected[inside], atol=30)


@pytest.mark.parametrize(
    ("keywords", "params", "reason"),
    [
        ({}, {"fit_method": "fft"}, "not for NRC_IMAGE"),
        ({"SLOWAXIS": None}, {}, "SLOWAXIS"),
    ],
)
def test_what_cannot_be_done_fails_and_the_run_goes_on(exposure, keywords, params, reason):
    data, groupdq = striped()
    made = exposure(data, groupdq, **keywords)
    outcome = clean(made, **params)
    assert outcome.status == "FAILED"
    assert reason in outcome.reason
    np.testing.assert_array_equal(made[0].data, data)


def test_one_integration_has_no_median_image(exposure):
    data, groupdq = striped()
    outcome = clean(exposure(data[:1], groupdq[:1]), background_method="median_image")
    assert (outcome.status, "median" in outcome.reason) == ("FAILED", True)


def test_a_mask_of_another_shape_fails(exposure, tmp_path):
    path = tmp_path / "mask.fits"
    fits.PrimaryHDU(np.ones((3, 4))).writeto(path)
    assert clean(exposure(*striped()), user_mask=str(path)).status == "FAILED"


@pytest.mark.parametrize(
    ("exp_type", "params"),
    [
        ("NRS_IFU", {"mask_science_regions": True}),
        ("NIS_SOSS", {"mask_science_regions": True}),
        ("NRC_TSGRISM", {"background_method": "median_image"}),
    ],
)
def test_what_is_not_there_yet_says_so(exposure, exp_type, params):
    with pytest.raises(NotYetError, match="yet"):
        clean(exposure(*striped(), EXP_TYPE=exp_type), **params)


def test_noise_of_spectra_can_be_fitted_in_frequency_space(exposure):
    data, groupdq = striped(slow_axis=1)
    made = exposure(data, groupdq, EXP_TYPE="NRS_FIXEDSLIT", DETECTOR="NRS1", SLOWAXIS=1)
    assert clean(made, fit_method="fft").status == "COMPLETE"
    sky = np.s_[:, :, 15:29]
    before, after = (np.diff(each, axis=1)[sky].mean(axis=2) for each in (data, made[0].data))
    assert after.std() < 0.7 * before.std()


@pytest.mark.parametrize(
    ("look", "limits", "chosen"),
    [
        (Look(0.05, 0.08, 0.0, 1.0, 0.0), NIRCAM, ("median", True)),
        (Look(0.20, 0.08, 0.0, 1.0, 0.0), NIRCAM, ("median", False)),
        (Look(0.20, 0.08, 2e-5, 1.0, 0.0), NIRCAM, ("model", False)),
        (Look(0.20, 0.08, 2e-5, 1.0, 0.0), NIRISS, ("median", False)),
        (Look(0.20, 0.01, 2e-5, 1.0, 9.0), NIRISS, ("model", False)),
        (Look(0.05, 0.01, 2e-4, 9.0, 0.0), NIRISS, ("model", False)),
        (Look(0.05, 0.01, 2e-5, 1.0, 0.0), NIRISS, ("model", False)),
        (Look(0.05, 0.01, 2e-5, 9.0, 0.0), NIRISS, ("median", False)),
        (Look(0.05, 0.01, 0.0, 9.0, 0.03), NIRISS, ("median", True)),
        (Look(0.05, 0.00, 0.0, 9.0, 0.03), NIRISS, ("median", False)),
    ],
)
def test_parameters_follow_the_look_of_the_image(look, limits, chosen):
    assert decide(look, limits) == chosen


def test_an_image_is_described():
    pytest.importorskip("photutils")
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:2048, :2048]
    image = (1 + 2e-6 * x + 1e-7 * y + rng.normal(0, 0.01, x.shape)).astype(np.float32)
    image += np.float32(0.02) * (x >= 1536)
    mask = np.ones(image.shape, bool)
    mask[:, :205] = False
    look = autoparam.describe(image, mask, niriss=False)
    assert 0.1 <= look.masked < 0.15
    assert abs(look.offset - (512 * 2e-6 + 0.02)) < 2e-3
    assert 2e-6 < look.slope < 2e-5
    assert look.slope_ratio > 3
    assert 2e-3 < look.channel_sigma < 1e-2


@pytest.mark.parametrize("exp_type", ["NRC_IMAGE", "NIS_IMAGE"])
def test_parameters_can_be_chosen_by_the_image(exposure, exp_type):
    pytest.importorskip("photutils")
    data, groupdq = striped()
    slope = np.linspace(0, 3, SHAPE[3]) * np.arange(5)[:, None, None]
    data = (data + slope).astype(np.float32)
    chosen = exposure(data, groupdq, EXP_TYPE=exp_type)
    modelled = exposure(data, groupdq, EXP_TYPE=exp_type)
    clean(chosen, autoparam=True)
    clean(modelled, background_method="model")
    np.testing.assert_array_equal(chosen[0].data, modelled[0].data)


def test_parameters_of_other_exposures_stay(exposure):
    data, groupdq = striped()
    left, plain = (exposure(data, groupdq, EXP_TYPE="NRC_CORON") for _ in range(2))
    clean(left, autoparam=True)
    clean(plain)
    np.testing.assert_array_equal(left[0].data, plain[0].data)
