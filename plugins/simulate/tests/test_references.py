from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import PIXEL
from heliodor.references.files import Reference
from heliodor_simulate import arrange, expose, make_truth, references, write_references
from heliodor_simulate.keywords import primary_keywords
from heliodor_simulate.ramps import couple
from stdatamodels.jwst import datamodels

KINDS = {
    "mask", "saturation", "superbias", "linearity", "gain", "readnoise", "dark", "ipc", "flat",
}  # fmt: skip


def seen_by(setup, folder):
    """The references as an exposure of this arrangement sees them."""
    files = write_references(setup, folder)
    keywords = primary_keywords(setup)
    return {kind: Reference(kind, path, keywords, setup.shape) for kind, path in files.items()}


@pytest.mark.parametrize("arguments", [{}, {"subarray": "SUB64P"}, {"size": 32}])
def test_references_describe_the_exposure_they_are_for(tiny, tmp_path, arguments):
    setup = arrange(tiny, ngroups=3, **arguments)
    truth = make_truth(setup)
    seen = seen_by(setup, tmp_path)
    assert set(seen) == KINDS
    assert np.array_equal(seen["superbias"].plane(), truth.bias)
    for kind, plane in (("gain", truth.gain), ("saturation", truth.saturation)):
        np.testing.assert_allclose(seen[kind].plane(), plane, rtol=1e-6)
    np.testing.assert_allclose(seen["readnoise"].plane(), truth.read_noise * 2**0.5, rtol=1e-6)
    coefficients = seen["linearity"].plane("COEFFS")
    assert not coefficients[0].any()
    assert (coefficients[1] == 1).all()
    np.testing.assert_allclose(coefficients[2:], truth.linearity, rtol=1e-6)
    dark = seen["dark"].plane()
    rate = np.zeros(setup.shape)
    rate[setup.live] = couple((truth.dark / truth.gain)[setup.live], 0.005)
    for group in range(3):
        np.testing.assert_allclose(dark[group], rate * setup.tframe * (group + 1), rtol=1e-5)


def test_flags_come_back_from_the_files_that_carry_them(tiny, tmp_path):
    setup = arrange(tiny)
    truth = make_truth(setup)
    seen = seen_by(setup, tmp_path)
    carried = {
        "mask": ("DO_NOT_USE", "DEAD", "HOT", "LOW_QE", "REFERENCE_PIXEL"),
        "saturation": ("NO_SAT_CHECK",),
        "linearity": ("NO_LIN_CORR",),
        "dark": ("HOT", "WARM"),
    }
    for kind, names in carried.items():
        dq = seen[kind].dq()
        for name in names:
            assert (truth.mask & PIXEL[name]).any()
            assert np.array_equal(dq & PIXEL[name], truth.mask & PIXEL[name]), name
    assert not (seen["mask"].dq() & PIXEL["NO_SAT_CHECK"]).any()


def test_linearity_undoes_the_response_at_saturation(only, tmp_path):
    """To 1e-4 of the charge, up to the brightest pixels that do not saturate."""
    setup = only("sources", "sky", "nonlinearity", "saturation", ngroups=5, seed=2)
    truth = make_truth(setup)
    data = expose(setup, truth).data[0].astype(float)
    coefficients = seen_by(setup, tmp_path)["linearity"].plane("COEFFS").astype(float)
    for group in range(5):
        charge = truth.rate / truth.gain * 10.0 * (group + 1)
        signal = data[group] - truth.bias
        corrected = sum(c * signal**power for power, c in enumerate(coefficients))
        use = (data[group] < truth.saturation) & (charge > 0.8 * truth.full_well / truth.gain)
        if group == 4:
            assert use.any()
        assert np.abs(corrected[use] / charge[use] - 1).max(initial=0) < 1e-4


def test_ipc_kernel_undoes_the_coupling(tiny, tmp_path):
    kernel = seen_by(arrange(tiny, size=16), tmp_path)["ipc"].whole().astype(float)
    assert kernel.shape == (3, 3)
    assert kernel.sum() == pytest.approx(1)
    point = np.zeros((9, 9))
    point[4, 4] = 1
    coupled = couple(point, 0.005)
    undone = np.zeros_like(point)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            undone += kernel[1 + dy, 1 + dx] * np.roll(coupled, (dy, dx), (0, 1))
    assert np.abs(undone - point).max() < 3e-5


def test_switched_off_effects_are_off_in_the_references(only, tmp_path):
    seen = seen_by(only("sky", size=16), tmp_path)
    assert not seen["linearity"].plane("COEFFS")[2:].any()
    assert not seen["dark"].plane().any()
    assert np.array_equal(seen["ipc"].whole(), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert set(np.unique(seen["mask"].dq())) == {0, PIXEL["REFERENCE_PIXEL"]}


def test_dark_holds_single_frames_or_the_exposures_groups(tiny, tmp_path, monkeypatch):
    setup = arrange(tiny, size=16, ngroups=3, readpatt="SHALLOW4")
    path = write_references(setup, tmp_path)["dark"]
    header = fits.getheader(path)
    assert (header["NGROUPS"], header["NFRAMES"], header["GROUPGAP"]) == (15, 1, 0)
    single = fits.getdata(path)
    monkeypatch.setattr(references, "LARGEST_DARK", 0)
    path = write_references(setup, tmp_path)["dark"]
    header = fits.getheader(path)
    assert (header["NGROUPS"], header["NFRAMES"], header["GROUPGAP"]) == (3, 4, 1)
    assert header["READPATT"] == "SHALLOW4"
    means = [single[5 * group : 5 * group + 4].mean(axis=0) for group in range(3)]
    np.testing.assert_allclose(fits.getdata(path), means, rtol=1e-5)


@pytest.mark.parametrize("arguments", [{}, {"subarray": "SUB64P"}, {"size": 32}])
def test_references_are_valid(tiny, tmp_path, arguments):
    for kind, path in write_references(arrange(tiny, **arguments), tmp_path).items():
        header = fits.getheader(path)
        assert header["REFTYPE"] == kind.upper()
        assert header["USEAFTER"] < "2024-03-01"
        assert header["PEDIGREE"] == "SIMULATION"
        model = getattr(datamodels, header["DATAMODL"])
        with model(path, strict_validation=True) as reference:
            reference.validate()


def test_which_files_serve_every_subarray(tiny, tmp_path):
    files = write_references(arrange(tiny, subarray="SUB64P"), tmp_path)
    for kind, path in files.items():
        header = fits.getheader(path)
        own = kind in ("superbias", "dark")
        assert header["SUBARRAY"] == ("SUB64P" if own else "GENERIC")
        assert header["SUBSIZE1"] == (64 if own else 160)
    # full frame and subarray share the files of the whole detector, byte by byte
    shared = {kind: path.read_bytes() for kind, path in files.items()}
    again = write_references(arrange(tiny), tmp_path)
    for kind in KINDS - {"superbias", "dark"}:
        assert again[kind] == files[kind]
        assert again[kind].read_bytes() == shared[kind]
