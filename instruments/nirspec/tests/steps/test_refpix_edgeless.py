"""Pseudo reference pixels of subarrays that do not reach an edge."""

import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, REFERENCE_PIXEL
from heliodor.engine import execute
from heliodor.testing import make_ramp
from heliodor_detector.steps.refpix import SPEC as GENERAL
from heliodor_detector.steps.refpix.params import RefPixParams
from heliodor_nirspec.steps.refpix_edgeless import SPEC

AXES = {"NRS1": (2, 1), "NRS2": (-2, -1)}


def exposure(detector, groups=(2, 3), shape=(32, 64)):
    """A subarray of a bright spectrum on drifting odd and even rows; some pixels are bad."""
    rng = np.random.default_rng(7)
    data = rng.normal(0, 5, (*groups, *shape))
    data[..., 4:-4] += 5000
    data += rng.normal(100, 30, (*groups, 1, 1))
    data[..., ::2, :] += 7
    pixeldq = np.where(rng.random(shape) < 0.05, DO_NOT_USE, 0).astype(np.uint32)
    data[..., pixeldq != 0] = 1e6
    fast, slow = AXES[detector]
    keywords = {
        "INSTRUME": "NIRSPEC", "SUBARRAY": "SUB512S", "SUBSTRT1": 545, "SUBSTRT2": 1043,
        "FASTAXIS": fast, "SLOWAXIS": slow, "NOUTPUTS": 1,
    }  # fmt: skip
    return make_ramp(data, pixeldq=pixeldq, **keywords)


def clipped(values):
    while True:
        mean, spread = values.mean(), 3 * values.std()
        kept = values[np.abs(values - mean) <= spread]
        if kept.size == values.size:
            return mean
        values = kept


@pytest.mark.parametrize("odd_even_columns", [True, False])
@pytest.mark.parametrize("detector", AXES)
def test_r18_outer_columns_correct_the_subarray(detector, odd_even_columns):
    ramp = exposure(detector)
    before = ramp.data.copy()
    outer = np.zeros(ramp.pixeldq.shape, bool)
    outer[:, :4] = outer[:, -4:] = True
    outer &= ramp.pixeldq == 0
    params = RefPixParams(odd_even_columns=odd_even_columns, precision="double")
    outcome = execute(SPEC, ramp, params, {})
    assert outcome.status == "COMPLETE"
    for i, g in np.ndindex(2, 3):
        expected = before[i, g].astype(np.float64)
        for parity in range(2):  # columns of the read-out are rows of the file
            rows = np.s_[parity::2] if odd_even_columns else np.s_[:]
            if odd_even_columns or parity == 0:
                expected[rows] -= clipped(expected[rows][outer[rows]])
        np.testing.assert_allclose(ramp.data[i, g], expected, rtol=1e-6, atol=1e-4)


def test_r18_flags_of_the_exposure_stay():
    ramp = exposure("NRS1")
    before = ramp.pixeldq.copy()
    execute(SPEC, ramp, RefPixParams(), {})
    np.testing.assert_array_equal(ramp.pixeldq, before)
    assert not (ramp.pixeldq & np.uint32(REFERENCE_PIXEL)).any()


def test_r18_without_good_outer_columns_it_is_skipped():
    ramp = exposure("NRS2")
    ramp.pixeldq[:, :4] |= DO_NOT_USE
    ramp.pixeldq[:, -4:] |= DO_NOT_USE
    before = ramp.data.copy()
    assert execute(SPEC, ramp, RefPixParams(), {}).status == "SKIPPED"
    np.testing.assert_array_equal(ramp.data, before)


def test_r18_the_general_step_would_find_no_reference_pixels():
    assert execute(GENERAL, exposure("NRS1"), RefPixParams(), {}).status == "SKIPPED"


def test_r18_independent_of_threads():
    one, other = exposure("NRS1", (3, 4)), exposure("NRS1", (3, 4))
    execute(SPEC, one, RefPixParams(), {})
    execute(SPEC, other, RefPixParams(), {}, threads=3, strip=5)
    np.testing.assert_array_equal(one.data, other.data)
