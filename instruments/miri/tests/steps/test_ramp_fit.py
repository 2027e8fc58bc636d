import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET
from heliodor.engine import execute
from heliodor_detector.steps.ramp_fit import SPEC as SHARED
from heliodor_detector.steps.ramp_fit.params import RampFitParams
from heliodor_miri.steps.ramp_fit import SPEC

TIMES = {"NFRAMES": 1, "GROUPGAP": 0, "TGROUP": 2.0, "TFRAME": 2.0}


@pytest.fixture
def fit(make_ramp, make_reference):
    """Fit ramps of seven groups, two pixels, slope 5 DN/s."""

    def fit(flags, spec=SPEC, algorithm="OLS_C", **keywords):
        data = np.arange(7.0).reshape(1, 7, 1, 1).repeat(2, axis=3) * 10
        ramp = make_ramp(data, flags, **TIMES, **keywords)
        references = {
            name: make_reference(name, ramp, SCI=np.full((1, 2), value, np.float32))
            for name, value in (("gain", 2), ("readnoise", 5))
        }
        return execute(spec, ramp, RampFitParams(algorithm=algorithm), references)

    return fit


@pytest.fixture
def flags():
    return np.zeros((1, 7, 1, 2), np.uint8)


def test_ends_that_nobody_can_use_are_cut_off(fit, flags):
    flags[:, [0, 1, 6]] = DO_NOT_USE
    flags[0, 2, 0, 0] = JUMP_DET
    rate = fit(flags).products["rate"].planes
    np.testing.assert_array_equal(rate["dq"], 0)  # nothing precedes the jump
    assert rate["err"][0, 0] == rate["err"][0, 1]
    np.testing.assert_allclose(rate["data"], 5, rtol=1e-6)
    shared = fit(flags, SHARED).products["rate"].planes
    np.testing.assert_array_equal(shared["dq"], [[JUMP_DET, 0]])


def test_one_group_at_the_end_at_most(fit, flags):
    flags[:, [0, 5, 6]] = DO_NOT_USE
    np.testing.assert_allclose(fit(flags).products["rate"].planes["data"], 5, rtol=1e-6)


@pytest.mark.parametrize("usable", [[], [5]])
def test_less_than_two_groups_are_not_fitted(fit, flags, usable):
    flags[:] = DO_NOT_USE
    flags[:, usable] = 0
    assert fit(flags).status == "SKIPPED"


@pytest.mark.parametrize(
    ("exp_type", "model"), [("MIR_MRS", "IFUImageModel"), ("MIR_IMAGE", "ImageModel")]
)
def test_the_spectrometer_has_a_model_of_its_own(fit, flags, exp_type, model):
    assert fit(flags, EXP_TYPE=exp_type).products["rate"].model == model


def test_likelihood_sees_all_groups(fit, flags):
    flags[:, [0, 6]] = DO_NOT_USE
    flags[0, 1, 0, 0] = JUMP_DET
    rate = fit(flags, algorithm="LIKELY").products["rate"].planes
    np.testing.assert_array_equal(rate["dq"], [[JUMP_DET, 0]])
    np.testing.assert_allclose(rate["data"], 5, rtol=1e-6)
    flags[:] = DO_NOT_USE
    assert fit(flags, algorithm="LIKELY").status == "COMPLETE"
