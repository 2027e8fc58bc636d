"""Saturation and interpixel capacitance, which know nothing of interleaved reference pixels."""

import numpy as np
import pytest
from heliodor.bits import AD_FLOOR, DO_NOT_USE, NO_SAT_CHECK, SATURATED
from heliodor.engine import execute
from heliodor.testing import make_ramp
from heliodor_detector.steps.ipc import SPEC as PLAIN_IPC
from heliodor_detector.steps.ipc.params import IpcParams
from heliodor_detector.steps.saturation import SPEC as PLAIN_SATURATION
from heliodor_detector.steps.saturation.params import SaturationParams
from heliodor_nirspec.irs2 import Layout
from heliodor_nirspec.steps.ipc_irs2 import SPEC as IPC
from heliodor_nirspec.steps.saturation_irs2 import SPEC as SATURATION

NX = 40


def pair(detector, data, **keywords):
    """Make an IRS2 ramp around science pixels (nints, ngroups, 2048, nx), and one of these only."""
    rows = Layout.of({"DETECTOR": detector}, 3200).science_rows()
    header = {"INSTRUME": "NIRSPEC", "DETECTOR": detector, **keywords}
    whole = np.full((*data.shape[:2], 3200, data.shape[3]), 70000, np.float32)
    whole[:, :, rows] = data
    return make_ramp(whole, **header), make_ramp(data, **header), rows


def ramps(seed=1, ngroups=5):
    rng = np.random.default_rng(seed)
    data = np.cumsum(rng.integers(0, 9000, (2, ngroups, 2048, NX)), axis=1).astype(np.float32)
    data[rng.random(data.shape) < 1e-3] = 0
    slow = rng.random((2048, NX)) < 0.98
    data[:, :, slow] *= 0.1
    return data


def thresholds(make_reference, ramp, rng):
    limit = rng.uniform(20000, 30000, (2048, NX)).astype(np.float32)
    limit[rng.random(limit.shape) < 0.01] = np.nan
    dq = np.where(rng.random(limit.shape) < 0.01, NO_SAT_CHECK, 0).astype(np.uint32)
    return {"saturation": make_reference("saturation", ramp, SCI=limit, DQ=dq)}


@pytest.mark.parametrize("grow", [0, 1, 2])
@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_saturation_is_that_of_science_pixels_alone(make_reference, detector, grow):
    irs2, plain, rows = pair(detector, ramps(), NFRAMES=1)
    params = SaturationParams(n_pix_grow_sat=grow)
    refs = thresholds(make_reference, irs2, np.random.default_rng(3))
    execute(SATURATION, irs2, params, refs, threads=2, strip=33)
    refs = thresholds(make_reference, plain, np.random.default_rng(3))
    execute(PLAIN_SATURATION, plain, params, refs)
    assert (plain.groupdq & SATURATED).any()
    assert (plain.groupdq & AD_FLOOR).any()
    np.testing.assert_array_equal(irs2.groupdq[:, :, rows], plain.groupdq)
    np.testing.assert_array_equal(irs2.pixeldq[rows], plain.pixeldq)
    others = np.setdiff1d(np.arange(3200), rows)
    assert not irs2.groupdq[:, :, others].any()
    assert not irs2.pixeldq[others].any()


def test_saturated_pixels_of_the_first_frame_become_zero(make_reference):
    irs2, plain, rows = pair("NRS2", ramps(), NFRAMES=1)
    plain.zeroframe, irs2.zeroframe = plain.data[:, 1].copy(), irs2.data[:, 1].copy()
    for spec, ramp in ((SATURATION, irs2), (PLAIN_SATURATION, plain)):
        refs = thresholds(make_reference, ramp, np.random.default_rng(3))
        execute(spec, ramp, SaturationParams(), refs, threads=2)
    assert (plain.zeroframe == 0).any()
    np.testing.assert_array_equal(irs2.zeroframe[:, rows], plain.zeroframe)
    others = np.setdiff1d(np.arange(3200), rows)
    assert (irs2.zeroframe[:, others] == 70000).all()


def second_group(make_reference, use_readpatt, steps, bias=100.0):
    """One pixel in row 1000 of science pixels; five frames a group, threshold 20000."""
    data = np.full((1, 4, 2048, NX), 150, np.float32)
    data[0, :, 1000, 20] = steps
    irs2, _, rows = pair("NRS1", data, NFRAMES=5)
    limit = np.full((2048, NX), 20000, np.float32)
    refs = {
        "saturation": make_reference("saturation", irs2, SCI=limit),
        "superbias": make_reference("superbias", irs2, SCI=np.full((3200, NX), bias, np.float32)),
    }
    execute(SATURATION, irs2, SaturationParams(use_readpatt=use_readpatt), refs)
    return irs2.groupdq[0][:, rows]


@pytest.mark.parametrize(
    ("use_readpatt", "steps", "second"),
    [
        (True, (200, 5200, 21000, 22000), True),  # the step exceeds (20000 - 200) / 5 = 3960
        (True, (200, 4100, 21000, 22000), False),  # it does not
        (True, (200, 5200, 19000, 22000), False),  # the third group is not saturated
        (True, (4200, 9200, 21000, 22000), False),  # 4100 / 3 * 15 + 100: the first announces it
        (False, (200, 5200, 21000, 22000), False),
    ],
)
def test_b08_second_group_of_averaged_frames(make_reference, use_readpatt, steps, second):
    dq = second_group(make_reference, use_readpatt, steps)
    flagged = np.zeros(dq.shape, bool)
    first = next(g for g, value in enumerate(steps) if value >= 20000)
    flagged[1 if second else first :, 999:1002, 19:22] = True
    np.testing.assert_array_equal((dq & SATURATED) != 0, flagged)
    assert not (dq & DO_NOT_USE).any()


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_ipc_is_that_of_science_pixels_alone(make_reference, detector):
    irs2, plain, rows = pair(detector, ramps(seed=4, ngroups=2))
    before = irs2.data.copy()
    kernel = np.array([[0, 0.01, 0], [0.02, 0.93, 0.03], [0, 0.01, 0]], np.float32)
    for spec, ramp in ((IPC, irs2), (PLAIN_IPC, plain)):
        execute(spec, ramp, IpcParams(), {"ipc": make_reference("ipc", ramp, SCI=kernel)})
    np.testing.assert_array_equal(irs2.data[:, :, rows], plain.data)
    others = np.setdiff1d(np.arange(3200), rows)
    np.testing.assert_array_equal(irs2.data[:, :, others], before[:, :, others])
    assert (irs2.data != before).any()


def test_ipc_without_reference_is_skipped():
    irs2, _, _ = pair("NRS1", np.ones((1, 1, 2048, 4), np.float32))
    assert execute(IPC, irs2, IpcParams(), {}).status == "SKIPPED"
