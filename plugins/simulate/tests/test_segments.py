"""Cutting an exposure into segments."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from heliodor.errors import UsageError
from heliodor_simulate import simulate, split


@pytest.fixture
def exposure(tiny, tmp_path):
    """Five integrations of averaged frames, so that there is a first frame of each."""
    return simulate(tiny, tmp_path, size=(40, 24), nints=5, ngroups=2, readpatt="SHALLOW4")


def test_nothing_is_lost_or_doubled(exposure):
    paths = split(exposure.exposure, 2)
    with fits.open(exposure.exposure) as whole:
        parts = [fits.open(path) for path in paths]
        assert [len(part["SCI"].data) for part in parts] == [3, 2]
        for name in [hdu.name for hdu in whole if hdu.name not in ("PRIMARY", "ASDF")]:
            joined = np.concatenate([part[name].data for part in parts])
            np.testing.assert_array_equal(joined, whole[name].data, err_msg=name)
        for part in parts:
            assert [hdu.name for hdu in part] == [hdu.name for hdu in whole]
            part.close()


def test_names_and_keywords(exposure):
    paths = split(exposure.exposure, 3)
    root, detector = exposure.exposure.name.split("_00001_")
    for number, (path, place) in enumerate(zip(paths, [(1, 2), (3, 4), (5, 5)], strict=True), 1):
        assert path.name == f"{root}_00001-seg{number:03d}_{detector}"
        header = fits.getheader(path)
        assert header["FILENAME"] == path.name
        assert (header["INTSTART"], header["INTEND"]) == place
        assert (header["EXSEGNUM"], header["EXSEGTOT"], header["NINTS"]) == (number, 3, 5)


@pytest.mark.parametrize("number", [0, 6])
def test_more_segments_than_integrations(exposure, number):
    with pytest.raises(UsageError, match=f"5 integrations cannot be cut into {number}"):
        split(exposure.exposure, number)
