"""IRS2: where pixels lie among reference pixels, and that weights tell the drift."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from heliodor.declare import Resource
from heliodor.errors import UsageError
from heliodor_simulate import (
    EFFECTS,
    arrange,
    expose,
    interleaved,
    make_truth,
    read_figures,
    write_references,
)

NLINES = 160


@pytest.fixture(scope="module")
def figures():
    pytest.importorskip("heliodor_nirspec")
    return read_figures(Resource("heliodor_nirspec", "simulation.yaml"))


@pytest.fixture
def quiet(figures):
    def arrange_quiet(*effects, **more):
        chosen = {"readpatt": "NRSIRS2RAPID", "size": NLINES, **more}
        return arrange(figures, without=set(EFFECTS) - set(effects), **chosen)

    return arrange_quiet


def test_a_window_has_whole_lines_and_a_border(quiet):
    setup = quiet()
    assert setup.size == (NLINES, 2048)
    assert setup.live == (slice(4, 2044), slice(4, NLINES - 4))
    with pytest.raises(UsageError, match="2048 pixels long"):
        quiet(size=(NLINES, 100))


def test_a_subarray_has_no_such_pattern(figures):
    slit = {"size": (2048, 64), "tframe": 1.5}
    subarrays = {**figures.model_dump()["subarrays"], "SUBS200A1": slit}
    fixed_slits = read_figures({**figures.model_dump(), "subarrays": subarrays})
    with pytest.raises(UsageError, match="for the full frame"):
        arrange(fixed_slits, readpatt="NRSIRS2", subarray="SUBS200A1")


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_pixels_are_found_again(quiet, detector):
    setup = quiet(detector=detector)
    image = np.arange(2048 * NLINES, dtype=np.uint32).reshape(2048, NLINES)
    raw = interleaved.expand(setup, image, 7)
    assert raw.shape == (3200, NLINES)
    assert np.array_equal(interleaved.science(setup, raw), image)
    assert (raw == 7).sum() == (3200 - 2048) * NLINES + 1


def test_first_pixels_of_the_detectors(quiet):
    """Eight pixels after the reference output of 640, four reference pixels, sixteen pixels."""
    image = np.arange(1, 2049)[:, None] * np.ones(NLINES, int)
    column = interleaved.expand(quiet(), image, 0)[:, 0]
    assert not column[:640].any()
    expected = [*range(1, 9), 0, 0, 0, 0, *range(9, 25), 0, 0, 0, 0, *range(25, 33)]
    assert column[640:680].tolist() == expected
    turned = interleaved.expand(quiet(detector="NRS2"), image[::-1], 0)[::-1, 0]
    assert np.array_equal(turned, column)


def test_truth_of_an_exposure_without_noise(quiet):
    setup = quiet("sky", ngroups=2, sky=20.0)
    exposure = expose(setup)
    assert exposure.data.shape == (1, 2, 3200, NLINES)
    image = interleaved.science(setup, exposure.data[0, 1]).astype(float)
    truth = make_truth(setup)
    expected = truth.bias + truth.rate / truth.gain * 2 * setup.tgroup
    assert np.abs(image - expected).max() < 0.51


def test_superbias_holds_the_level_of_all_pixels(quiet, tmp_path):
    setup = quiet(ngroups=1)
    files = write_references(setup, tmp_path)
    assert np.abs(expose(setup).data[0, 0] - fits.getdata(files["superbias"])).max() < 0.51
    mask = fits.getdata(files["mask"])
    assert mask.shape == (3200, NLINES)


def test_reference_pixels_share_the_drift_of_their_amplifier(quiet):
    setup = quiet("1/f", ngroups=1)
    raw = expose(setup).data[0, 0] - interleaved.bias(setup, make_truth(setup))
    blocks = raw[640:].reshape(4, 640, NLINES)
    # an amplifier's reference pixels and their neighbours, and those of another amplifier
    between, beside, other = (
        blocks[0, 8:12].mean(0),
        blocks[0, 4:8].mean(0),
        blocks[2, 8:12].mean(0),
    )
    own, common = (np.corrcoef(between, each)[0, 1] for each in (beside, other))
    assert own > 0.75
    assert 0.2 < common < own - 0.1


def test_weights_follow_slow_drifts_and_leave_fast_ones(quiet):
    of_output, of_pixels = interleaved.weights(quiet())
    n = of_pixels.size
    assert n == 712 * NLINES
    # what is seen a part of the time is weighted up accordingly; the reference output adds little
    assert of_pixels[3] == pytest.approx(22 / 8, rel=0.02)
    assert abs(of_output[3]) < 0.02
    assert of_pixels[n // 2] < 0.05
    assert np.allclose(of_pixels[1:], of_pixels[:0:-1])


def test_bad_reference_pixels_are_bad_in_their_integration(quiet):
    asked = quiet("read-noise", ngroups=1, nints=2, also=["bad-reference-pixels"])
    normal = quiet("read-noise", ngroups=1, nints=2)
    for integration in range(2):
        pairs = interleaved.bad_pairs(asked, integration)
        assert 0 < len(pairs) < 12
        spread = [
            expose(each).data[integration, 0].astype(float).std(1) for each in (asked, normal)
        ]
        assert (spread[0] > 3 * spread[1]).sum() == 2 * len(pairs)
    assert interleaved.bad_pairs(asked, 0) != interleaved.bad_pairs(asked, 1)
