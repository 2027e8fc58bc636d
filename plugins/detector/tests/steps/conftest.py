from functools import partial

import numpy as np
import pytest
from heliodor import testing
from heliodor_detector.steps.jump import SPEC as JUMP


@pytest.fixture
def make_ramp():
    return testing.make_ramp


@pytest.fixture
def make_reference(tmp_path):
    return partial(testing.make_reference, tmp_path)


@pytest.fixture
def run_jump():
    """Run jump on a ramp of given data, groups of 10 s; gain 2 e-/DN, read noise 5 DN."""

    def run(data, groupdq=None, gain=2.0, readnoise=5.0, pixeldq=0, threads=1, strip=64, **params):
        shape = np.shape(data)[-2:]
        pixeldq, gain, readnoise = (
            np.broadcast_to(plane, shape) for plane in (pixeldq, gain, readnoise)
        )
        ramp = testing.make_ramp(data, groupdq, pixeldq=pixeldq, NFRAMES=1, TGROUP=10.0)
        references = {"gain": np.float32(gain), "readnoise": np.float32(readnoise)}
        how = {"threads": threads, "strip": strip}
        return ramp, testing.run_step(JUMP, ramp, references, **how, **params)

    return run
