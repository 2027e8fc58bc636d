import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, PIXEL
from heliodor.engine import execute
from heliodor.errors import NotYetError
from heliodor_detector.steps.clean_flicker_noise.params import CleanFlickerNoiseParams
from heliodor_miri.steps.clean_flicker_noise import SPEC

SHAPE = (2, 7, 40, 32)
KEYWORDS = {
    "EXP_TYPE": "MIR_IMAGE",
    "DETECTOR": "MIRIMAGE",
    "SUBARRAY": "FULL",
    "SLOWAXIS": 2,
    "NFRAMES": 1,
    "TGROUP": 2.0,
    "TFRAME": 2.0,
}


def flickering():
    """Ramps of a flat sky whose columns flicker; the first and the last group are rejected."""
    rng = np.random.default_rng(4)
    nints, ngroups, _, nx = SHAPE
    data = 20.0 * np.arange(ngroups)[:, None, None] + rng.normal(0, 1, SHAPE)
    data += rng.normal(0, 9, (nints, ngroups, 1, nx))
    groupdq = np.zeros(SHAPE, np.uint8)
    groupdq[:, [0, -1]] = DO_NOT_USE
    return data, groupdq


@pytest.fixture
def clean(make_ramp, make_reference):
    """Clean an exposure; some planes of its flat may be given."""

    def clean(data, groupdq, flat=None, keywords=(), **params):
        ramp = make_ramp(data, groupdq, **{**KEYWORDS, **dict(keywords)})
        planes = {"gain": {"SCI": 4.0}, "readnoise": {"SCI": 6.0}}
        refs = {
            name: make_reference(name, ramp, SCI=np.full(SHAPE[2:], value["SCI"], np.float32))
            for name, value in planes.items()
        }
        if flat is not None:
            refs["flat"] = make_reference("flat", ramp, **flat)
        params = CleanFlickerNoiseParams(skip=False, **params)
        return ramp, execute(SPEC, ramp, params, refs, threads=2)

    return clean


def stripes(data):
    """Measure how much columns of differences differ."""
    return np.diff(data, axis=1).mean(axis=2).std(axis=2).max()


@pytest.mark.parametrize("method", ["median", None])
def test_b05_columns_are_cleaned_and_rejected_groups_stay(clean, method):
    data, groupdq = flickering()
    given = {"background_method": method, "n_sigma": 0}
    ramp, outcome = clean(data, groupdq, fit_by_channel=True, **given)
    assert outcome.status == "COMPLETE"
    assert stripes(ramp.data[:, 1:-1]) < 0.25 < 9 < stripes(data[:, 1:-1])
    np.testing.assert_array_equal(ramp.data[:, [0, -1]], data[:, [0, -1]].astype(np.float32))


def test_integrations_get_the_columns_of_their_median(clean):
    data, groupdq = flickering()
    ramp, outcome = clean(data, groupdq, background_method="median_image", n_sigma=0)
    assert outcome.status == "COMPLETE"
    columns = ramp.data[:, 1:-1].mean(axis=2)
    apart = np.ptp(columns, axis=0).std(axis=1)  # of equal columns, but for their brightness
    assert apart.max() < 1 < 5 < np.ptp(data.mean(axis=2), axis=0).std(axis=1).min()


def masked(ramp_and_outcome):
    return ramp_and_outcome[1].products["mask"].planes["data"] == 0


@pytest.mark.parametrize("single", [True, False])
def test_what_is_not_of_the_field_is_masked(clean, single):
    data, groupdq = flickering()
    sci = np.ones(SHAPE[2:], np.float32)
    dq = np.zeros(SHAPE[2:], np.uint32)
    dq[:, :4] = PIXEL["NON_SCIENCE"]
    dq[5, 5] = PIXEL["DO_NOT_USE"]
    dq[6, 6] = PIXEL["NO_FLAT_FIELD"]
    dq[7, 7] = PIXEL["UNRELIABLE_FLAT"]
    sci[8, 8], sci[9, 9] = 0, np.nan
    given = {"flat": {"SCI": sci, "DQ": dq}, "n_sigma": 0, "save_mask": True, "single_mask": single}
    expected = np.zeros(SHAPE[2:], bool)
    expected[:, :4] = expected[[5, 6, 8, 9], [5, 6, 8, 9]] = True
    mask = masked(clean(data, groupdq, mask_science_regions=True, **given))
    np.testing.assert_array_equal(mask, np.broadcast_to(expected, mask.shape))
    assert mask.ndim == 2 if single else mask.shape[0] == 2
    assert not masked(clean(data, groupdq, **given)).any()


def test_without_a_flat_only_the_slopes_tell(clean):
    data, groupdq = flickering()
    groupdq[:, :, 3, 3] = DO_NOT_USE
    mask = masked(clean(data, groupdq, mask_science_regions=True, n_sigma=0, save_mask=True))
    assert np.argwhere(mask).tolist() == [[3, 3]]


@pytest.mark.parametrize("params", [{"fit_method": "fft"}, {}])
def test_spectra_and_frequencies_are_not_for_miri(clean, params):
    keywords = {} if params else {"EXP_TYPE": "MIR_MRS"}
    data, groupdq = flickering()
    ramp, outcome = clean(data, groupdq, keywords=keywords, **params)
    assert outcome.status == "FAILED"
    np.testing.assert_array_equal(ramp.data, data.astype(np.float32))


def test_median_images_of_time_series_are_not_there_yet(clean):
    given = {"keywords": {"TSOVISIT": True}, "background_method": "median_image"}
    with pytest.raises(NotYetError, match="time series"):
        clean(*flickering(), **given)
