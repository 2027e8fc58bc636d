"""Reference files of NIRSpec's own steps that are not what they should be."""

import numpy as np
import pytest
from heliodor.errors import ReferenceError
from heliodor.testing import make_ramp, run_step
from heliodor_nirspec.steps.ipc_irs2 import SPEC as IPC
from heliodor_nirspec.steps.refpix_irs2 import SPEC as REFPIX
from heliodor_nirspec.steps.saturation_irs2 import SPEC as SATURATION

LINES = 160
"""Of a small frame; a detector has 2048."""

ROWS = 2 * 712 * LINES
NAMES = [f"{kind}_{k}" for k in range(4) for kind in ("ALPHA", "BETA")]
SCIENCE = (2048, LINES)
"""Shape of the science pixels of an IRS2 frame, which has 3200 rows."""


@pytest.fixture
def refused():
    """Run a step with references that it must refuse; give the message."""

    def run(spec, **references):
        ramp = make_ramp(np.ones((1, 3, 3200, LINES)), DETECTOR="NRS1", NFRAMES=1)
        with pytest.raises(ReferenceError) as told:
            run_step(spec, ramp, references)
        assert (ramp.data == 1).all()
        assert not ramp.groupdq.any()
        return str(told.value)

    return run


def weights(rows=ROWS, names=NAMES):
    return np.ones(rows, [(name, "f4") for name in names])


# ------------------------------------------------------------------ refpix


@pytest.mark.parametrize("rows", [0, 10, ROWS - 2, ROWS + 2])
def test_weights_for_another_number_of_lines(refused, rows):
    message = refused(REFPIX, refpix={"IRS2": weights(rows)})
    assert f"refpix.fits: IRS2 has {rows} rows" in message
    assert f"712 x {LINES} frequencies" in message


@pytest.mark.parametrize("missing", ["ALPHA_0", "BETA_3"])
def test_weights_of_which_a_column_is_missing(refused, missing):
    names = [name for name in NAMES if name != missing]
    message = refused(REFPIX, refpix={"IRS2": weights(names=names)})
    assert "refpix.fits: IRS2 of this refpix reference lacks the column(s)" in message
    assert f"{missing.lower()}; it has alpha_" in message or "it has beta_" in message


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_must_be_finite(refused, wrong):
    table = weights()
    table["BETA_2"][7] = wrong
    assert "refpix.fits: weights beta_2 of IRS2 must be finite" in refused(
        REFPIX, refpix={"IRS2": table}
    )


def test_without_the_weights(refused):
    message = refused(REFPIX, refpix=np.ones(SCIENCE, np.float32))
    assert "refpix.fits: this refpix reference has no IRS2 extension" in message


def test_a_list_of_bad_pixels_without_a_column(refused):
    listed = np.zeros(1, [("OUTPUT", "i2"), ("MASK", "u4")])
    message = refused(REFPIX, refpix={"IRS2": weights(), "DQ": listed})
    assert "refpix.fits: DQ of this refpix reference lacks the column(s) odd_even" in message


def test_truncated_weights(refused, make_reference):
    ramp = make_ramp(np.ones((1, 1, 3200, LINES)))
    path = make_reference("refpix", ramp, IRS2=weights()).path
    path.write_bytes(path.read_bytes()[:20_000])
    message = refused(REFPIX, refpix=path)
    assert f"{path}: IRS2 cannot be read (truncated?)" in message


# ------------------------------------------------------------------ saturation, ipc


def test_thresholds_of_another_shape(refused):
    message = refused(SATURATION, saturation=np.ones((1000, LINES), np.float32))
    assert "saturation.fits: SCI of this saturation reference is 160 x 1000 pixels" in message
    assert "does not hold the exposure's 160 x 2048" in message


def test_a_bias_without_interleaved_pixels(refused):
    limits = np.full(SCIENCE, 6e4, np.float32)
    message = refused(SATURATION, saturation=limits, superbias=np.ones(SCIENCE, np.float32))
    assert "superbias.fits: SCI of this superbias reference is 160 x 2048 pixels" in message
    assert "does not hold the exposure's 160 x 3200" in message


def test_a_kernel_without_a_middle(refused):
    assert "ipc.fits: " in refused(IPC, ipc=np.ones((2, 3), np.float32))


def test_thresholds_that_are_missing(refused):
    message = refused(SATURATION, saturation={"DQ": np.zeros(SCIENCE, np.uint32)})
    assert "saturation.fits: this saturation reference has no SCI extension" in message
