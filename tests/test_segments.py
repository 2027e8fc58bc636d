"""Exposures that the archive has cut into segments."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor_simulate import split


@pytest.fixture(scope="module")
def segments(small_nircam):
    """Three integrations in two files, with gaps in time and names of their own."""
    paths = split(small_nircam.exposure, 2)
    yield paths
    for path in paths:
        path.unlink()


@pytest.fixture(scope="module")
def done(segments, small_nircam, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return [
        heliodor.run(path, folders=small_nircam.references, out=out, save=True).paths
        for path in segments
    ]


def test_products_are_named_after_the_segment(done):
    root = "jw01234001001_02101_00001-seg"
    assert [paths["rate"].name for paths in done] == [
        f"{root}001_nrca1_rate.fits", f"{root}002_nrca1_rate.fits"
    ]  # fmt: skip


def test_a_segment_knows_its_place(done):
    for number, (paths, integrations) in enumerate(zip(done, ([1, 2], [3]), strict=True), 1):
        for path in paths.values():
            header = fits.getheader(path)
            assert (header["EXSEGNUM"], header["EXSEGTOT"]) == (number, 2)
            assert (header["INTSTART"], header["INTEND"]) == (integrations[0], integrations[-1])
            assert header["NINTS"] == 3
        with fits.open(paths["rateints"]) as hdus:
            assert hdus["INT_TIMES"].data["integration_number"].tolist() == integrations
            assert hdus["SCI"].shape[0] == len(integrations)


def test_segments_joined_are_the_whole(segments, small_nircam):
    """But for jumps and the noise of light, which look at all integrations of a file."""

    def rateints(path):
        return heliodor.run(path, folders=small_nircam.references, skip=["jump"])["rateints"]

    whole = rateints(small_nircam.exposure)
    parts = [rateints(path) for path in segments]
    for plane in ("data", "dq", "var_rnoise"):
        joined = np.concatenate([getattr(part, plane) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, plane), err_msg=plane)
