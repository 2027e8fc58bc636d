from functools import partial

import numpy as np
import pytest
from heliodor import testing
from heliodor.bits import REFERENCE_PIXEL

LINES = 512
"""Lines of made-up frames; a detector has 2048."""


@pytest.fixture
def make_irs2():
    """Make an IRS2 ramp of drifts that science and reference pixels share, and noise."""

    def make(detector="NRS1", groups=(2, 3), seed=1, **keywords):
        rng = np.random.default_rng(seed)
        data = rng.normal(0, 6, (*groups, 3200, LINES))
        data += rng.normal(0, 20, (*groups, 1, LINES))  # drift from line to line
        data += rng.normal(1000, 50, (*groups, 1, 1))
        pixeldq = np.zeros((3200, LINES), np.uint32)
        pixeldq[:, :4] = pixeldq[:, -4:] = REFERENCE_PIXEL
        groupdq = rng.integers(0, 8, data.shape, np.uint8)
        return testing.make_ramp(data, groupdq, pixeldq=pixeldq, DETECTOR=detector, **keywords)

    return make


@pytest.fixture
def make_reference(tmp_path):
    return partial(testing.make_reference, tmp_path)


@pytest.fixture
def make_weights(make_reference):
    """Make a refpix reference of random weights, with a list of bad pixels."""

    def make(ramp, bad=((1, 1, 0),), seed=2):
        rng = np.random.default_rng(seed)
        n = 712 * ramp.shape[3]
        names = [f"{kind}_{k}" for k in range(4) for kind in ("ALPHA", "BETA")]
        table = np.empty(2 * n, [(name, "f4") for name in names])
        for name in names:  # not Hermitian: only the real part of the result may count
            table[name] = rng.normal(0, 0.4, 2 * n)
        listed = np.array(list(bad), [("OUTPUT", "i2"), ("ODD_EVEN", "i2"), ("MASK", "u4")])
        return {"refpix": make_reference("refpix", ramp, IRS2=table, DQ=listed)}

    return make
