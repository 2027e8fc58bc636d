"""Exposures in stripes: lines of a window, and references that fit them."""

from __future__ import annotations

import asdf
import numpy as np
import pytest
from astropy.io import fits
from heliodor.references.files import Reference
from heliodor_simulate import EFFECTS, arrange, expose, make_truth, read_figures, write_references
from heliodor_simulate.keywords import primary_keywords, sci_keywords
from heliodor_simulate.ramps import start
from stdatamodels.jwst import datamodels

SUPER_NAME, SUB_NAME, DISTANT_NAME = "SUB64P_SUPSTP008", "SUB164STRIPE4_DHS", "SUB64P_SUPSTP032"
SUPER = {
    "size": (32, 14), "tframe": 1.0, "corners": {"NRCB1": (50, 160)},
    "stripes": {"reads1": 4, "reads2": 10, "repeat": 1, "step": 10, "number": 3},
}  # fmt: skip
SUB = {
    "size": (160, 22), "tframe": 1.0, "outputs": 4,
    "stripes": {
        "reads1": 1, "skips1": 20, "reads2": 10, "skips2": 30, "repeat": 1, "interleave": 1,
    },
}  # fmt: skip
DISTANT = {**SUPER, "size": (32, 10), "stripes": {"skips1": 20, "step": 10, "number": 3}}


@pytest.fixture
def figures(tiny):
    """Figures with subarrays in stripes; the detector NRCB1 is read from its last row."""
    content = tiny.model_dump()
    content["subarrays"].update({SUPER_NAME: SUPER, SUB_NAME: SUB, DISTANT_NAME: DISTANT})
    return read_figures(content)


def test_superstripes_take_turns(figures):
    setup = arrange(figures, subarray=SUPER_NAME, nints=2, ngroups=2, without=EFFECTS)
    assert (setup.corner, setup.size, setup.nints) == ((50, 1), (32, 160), 6)
    exposure = expose(setup)
    assert exposure.data.shape == (6, 2, 14, 32)
    bias, dark = np.rint(exposure.truth.bias), exposure.truth.rate / exposure.truth.gain
    for integration in range(6):
        first = 156 - 10 * (integration % 3 + 1)
        # in the file's orientation the rows that are read first come last
        rows = np.r_[first : first + 10, 156:160]
        np.testing.assert_allclose(exposure.data[integration, 0], (bias + dark)[rows], atol=1.5)
        np.testing.assert_array_equal(exposure.data[integration, 0, -4:], bias[156:])


def test_the_memory_knows_its_stripes(figures):
    ramp = expose(arrange(figures, subarray=SUPER_NAME, ngroups=2)).ramp()
    assert ramp.pixeldq.shape == (3, 14, 32)
    assert ramp.stripes.superstripes
    ramp = expose(arrange(figures, subarray=SUB_NAME, ngroups=2)).ramp()
    assert ramp.pixeldq.shape == (22, 160)


def test_first_frames_are_cut_as_well(figures):
    setup = arrange(figures, subarray=SUPER_NAME, ngroups=2, readpatt="SHALLOW4")
    assert expose(setup).zeroframe.shape == (3, 14, 32)
    assert start(setup).first_saturated.shape == (3, 160, 32)


def test_keywords_describe_the_array(figures):
    setup = arrange(figures, subarray=SUB_NAME)
    keywords = {**primary_keywords(setup), **sci_keywords(setup)}
    expected = {
        "SUBARRAY": SUB_NAME, "SUBSIZE1": 160, "SUBSIZE2": 22, "SUBSTRT1": 1, "SUBSTRT2": 1,
        "MSTR_RD1": 1, "MSTR_SK1": 20, "MSTR_RD2": 10, "MSTR_SK2": 30, "MSTR_RPT": 1,
        "MSTR_ILV": 1, "SSTR_STP": 0, "SSTR_NST": 0, "NINTS": 1,
    }  # fmt: skip
    assert {name: keywords[name] for name in expected} == expected
    assert "MSTR_RD1" not in primary_keywords(arrange(figures, subarray="SUB64P"))


@pytest.mark.parametrize("subarray", [SUPER_NAME, SUB_NAME])
def test_references_are_of_all_lines(figures, tmp_path, subarray):
    setup = arrange(figures, subarray=subarray, ngroups=2)
    truth = make_truth(setup)
    files = write_references(setup, tmp_path)
    striped = setup.striped
    seen = Reference(
        "superbias", files["superbias"], primary_keywords(setup), striped.shape, striped.stripes
    ).plane()
    expected = [setup.cut(truth.bias, stripe) for stripe in range(striped.turns)]
    np.testing.assert_array_equal(seen, np.squeeze(expected))


@pytest.mark.parametrize(
    ("subarray", "shape", "start", "rows"),
    [
        (SUPER_NAME, (30, 32), 127, slice(126, 156)),
        (DISTANT_NAME, (30, 32), 111, slice(110, 140)),
        (SUB_NAME, (22, 160), 1, None),
    ],
)
def test_the_dark_is_of_what_there_is_in_the_end(figures, tmp_path, subarray, shape, start, rows):
    setup = arrange(figures, subarray=subarray, ngroups=2, without=("coupling",))
    truth = make_truth(setup)
    path = write_references(setup, tmp_path)["dark"]
    with datamodels.open(path) as dark:
        assert dark.data.shape == (2, *shape)
        assert (dark.meta.subarray.ystart, dark.meta.subarray.ysize) == (start, shape[0])
        rate = truth.dark / truth.gain
        expected = rate[rows] if rows else setup.cut(rate, 0)
        np.testing.assert_allclose(dark.data[0], expected * setup.tframe, rtol=1e-5)


def test_superstripes_may_fill_the_detector(figures, tmp_path):
    content = figures.model_dump()
    content["subarrays"][SUPER_NAME]["stripes"]["joined_to_full"] = True
    setup = arrange(read_figures(content), subarray=SUPER_NAME, ngroups=1)
    header = fits.getheader(write_references(setup, tmp_path)["dark"])
    assert (header["SUBSTRT2"], header["SUBSIZE2"]) == (1, 160)


def test_kernels_for_side_reference_pixels(figures, tmp_path):
    content = {**figures.model_dump(), "sirs": True}
    setup = arrange(read_figures(content), subarray="FULL", ngroups=1)
    files = write_references(setup, tmp_path)
    assert Reference("sirskernel", files["sirskernel"], {}, (1, 1)).tree()["nrcb1"]
    with asdf.open(files["sirskernel"]) as file:
        assert file["meta"]["reftype"] == "sirskernel"
        gamma, zeta = (np.array(file["nrcb2"][name]) for name in ("gamma", "zeta"))
    assert gamma.shape == zeta.shape == (4, 161)
    # slow drifts are followed whole by both sides together, fast ones hardly
    np.testing.assert_allclose((gamma + zeta)[:, 0], 1)
    assert np.abs((gamma + zeta)[:, -1]).max() < 0.01
    part = arrange(read_figures(content), subarray="SUB64P", ngroups=1)
    assert "sirskernel" not in write_references(part, tmp_path)
