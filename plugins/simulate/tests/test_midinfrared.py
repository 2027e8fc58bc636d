"""What only MIRI's detectors do, and the references that tell of it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from heliodor.errors import UsageError
from heliodor_simulate import EFFECTS, arrange, expose, make_truth, simulate, write_references
from heliodor_simulate.noise import Drifts, flicker
from heliodor_simulate.settling import groups_used


@pytest.fixture
def quiet(midinfrared):
    """Arrange an exposure with a few effects only."""

    def arrange_quiet(*effects, **more):
        return arrange(midinfrared, without=set(EFFECTS) - set(effects), **more)

    return arrange_quiet


def test_there_are_no_dark_rows(quiet):
    setup = quiet(ngroups=3)
    assert setup.live == (slice(0, 160), slice(4, 156))


def test_amplifiers_read_every_fourth_column(quiet):
    setup = quiet("amplifiers", "odd-even")
    drifts = Drifts(setup, 0)
    drifts.walk()
    frame = drifts.offsets()
    assert np.array_equal(frame, np.tile(frame[:2, :4], (80, 40)))
    assert np.unique(frame).size == 8


def test_pixels_read_at_once_share_noise(quiet):
    frame = flicker(quiet(), np.random.default_rng(1))
    quartets = frame.reshape(160, 40, 4)
    assert np.corrcoef(quartets[..., 0].ravel(), quartets[..., 3].ravel())[0, 1] > 0.3


def test_window_of_a_part_of_a_quartet_is_refused(quiet):
    with pytest.raises(UsageError, match="as many of each amplifier"):
        quiet(size=30)


def test_response_counts_from_zero(quiet, tmp_path):
    """The correction of what is read, bias and all, is a straight line."""
    setup = quiet("sky", "nonlinearity", ngroups=5, sky=900.0)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0].astype(float)
    lin = np.stack([truth.linearised(image) for image in data])
    steps = np.diff(lin, axis=0)[:, *setup.live]
    expected = (truth.rate / truth.gain * setup.tgroup)[setup.live]
    assert np.abs(steps - expected).max() < 1.2  # rounding of two groups
    assert np.abs(np.diff(data, axis=0)[:, *setup.live] - expected).max() > 50
    assert "superbias" not in write_references(setup, tmp_path)


def test_references_take_settling_away(quiet, tmp_path):
    """In groups that are used, nothing is left but what the dark subtracts."""
    setup = quiet("settling", ngroups=8, nints=3)
    data = expose(setup).data.astype(float)
    files = write_references(setup, tmp_path)
    reset, dark = (fits.getdata(files[kind]).astype(float) for kind in ("reset", "dark"))
    assert reset.shape == dark.shape == (2, 8, 160, 160)
    start, stop = groups_used(setup)
    assert (start, stop) == (4, 7)
    for integration in range(3):
        which = min(integration, 1)
        left = data[integration] - make_truth(setup).bias - reset[which] - dark[which]
        assert np.abs(left[start:stop]).max() < 0.51
        assert left[0, *setup.live].max() < -20
        assert (left[-1, ::2, 4:156] < -11).all()
        assert np.abs(left[-1, 1::2]).max() < 0.51
    assert np.abs(reset[0, 0] / 1.5 - reset[1, 0]).max() < 1e-4
    assert dark[0, -1].max() > 2 > dark[1].max()


def test_groups_left_out_are_those_of_the_reference(quiet, tmp_path):
    files = write_references(quiet(ngroups=8), tmp_path)
    table = fits.getdata(files["rscd"], "RSCD_GROUP_SKIP")
    rows = {(row["subarray"], row["readpatt"]): row for row in table}
    row = rows["GENERIC", "RAPID"]
    assert (row["group_skip1"], row["group_skip"]) == (1, 4)


@pytest.mark.parametrize(
    ("ngroups", "nints", "used"), [(8, 1, (1, 7)), (8, 2, (4, 7)), (5, 2, (1, 4)), (2, 1, (0, 2))]
)
def test_groups_that_are_used(quiet, ngroups, nints, used):
    assert groups_used(quiet(ngroups=ngroups, nints=nints)) == used


def test_interference_is_there_when_asked_for(quiet, tmp_path):
    """A wave of the reference's shape at the time of each pixel."""
    import asdf

    setup = quiet(ngroups=3, also=["interference"])
    data = expose(setup).data[0].astype(float) - make_truth(setup).bias
    with asdf.open(write_references(setup, tmp_path)["emicorr"]) as file:
        wave = np.array(file["frequencies"]["Hz10"]["phase_amplitudes"])
        case = file["subarray_cases"]["FULL_FAST"]
    assert (case["rowclocks"], case["frameclocks"]) == (50, 160 * 50)
    samples = (
        np.arange(3)[:, None, None] * 160 * 50 + np.arange(160)[:, None] * 50 + np.arange(160) // 4
    )
    expected = wave[(samples * 1e-5 * 10.0 % 1 * wave.size).astype(int)]
    assert np.abs(data - expected).max() < 0.6
    assert not (expose(quiet(ngroups=3)).data[0] - make_truth(setup).bias).round().any()


def test_reference_output_comes_with_full_frames_only(midinfrared, tmp_path):
    with fits.open(simulate(midinfrared, tmp_path, ngroups=2).exposure) as file:
        assert file["REFOUT"].data.shape == (1, 2, 40, 160)
    with fits.open(simulate(midinfrared, tmp_path / "window", size=40).exposure) as file:
        assert "REFOUT" not in file
