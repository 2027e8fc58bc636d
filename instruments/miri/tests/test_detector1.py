"""An exposure with known slopes, from raw counts to products."""

from __future__ import annotations

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import JUMP_DET, PIXEL
from heliodor.errors import ReferenceError

NINTS, NGROUPS, NY, NX = 2, 10, 16, 32
TGROUP = 2.5
SLOPES = 10 * (1 + np.arange(NY * NX).reshape(NY, NX) % 7)  # DN a group
RESET = np.array([30, 10, 3])
DARK = np.array([0, 5])  # DN a group, by integration
JUMP = (2, 20)
BRIGHT = (9, 11)

PLACE = {"INSTRUME": "MIRI", "DETECTOR": "MIRIMAGE", "SUBARRAY": "BRIGHTSKY", "READPATT": "FASTR1"}
WINDOW = {"SUBSTRT1": 41, "SUBSTRT2": 51, "SUBSIZE1": NX, "SUBSIZE2": NY}


def write(path, planes, **keywords):
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update({**PLACE, **WINDOW, **keywords})
    for name, data in planes.items():
        kind = fits.BinTableHDU if data.dtype.names else fits.ImageHDU
        hdus.append(kind(data, name=name))
    hdus.writeto(path)


@pytest.fixture
def files(tmp_path):
    """Write an exposure and its references; give the exposure and the folder."""
    groups = np.arange(NGROUPS)[:, None, None]
    data = np.stack([9000 + (SLOPES + dark) * groups for dark in DARK])
    data[:, :3] += RESET[:, None, None]
    data[0, 6:, *JUMP] += 4000
    data[1, 3:, *BRIGHT] = 60000
    name = tmp_path / "jw01234001001_02101_00001_mirimage_uncal.fits"
    write(
        name,
        {"SCI": data.astype(np.uint16)},
        TELESCOP="JWST", EXP_TYPE="MIR_IMAGE", DATAMODL="Level1bModel", FILTER="F770W",
        NINTS=NINTS, NGROUPS=NGROUPS, NFRAMES=1, GROUPGAP=0, TGROUP=TGROUP, TFRAME=TGROUP,
        FASTAXIS=1, SLOWAXIS=2,
    )  # fmt: skip
    folder = tmp_path / "references"
    folder.mkdir()

    def plane(value, *shape):
        return np.full((*shape, NY, NX), value, np.float32)

    skips = np.array(
        [("BRIGHTSKY", "FASTR1", 1, 4)],
        [("subarray", "S17"), ("readpatt", "S12"), ("group_skip1", "i4"), ("group_skip", "i4")],
    )
    dark = (DARK[:, None, None, None] * groups * np.ones((NY, NX))).astype(np.float32)
    linear = np.stack([plane(0), plane(1), plane(0)])
    for kind, planes in {
        "mask": {"DQ": np.zeros((NY, NX), np.uint32)},
        "saturation": {"SCI": plane(50000)},
        "reset": {"SCI": (RESET[None, :, None, None] * plane(1)).astype(np.float32)},
        "linearity": {"COEFFS": linear},
        "rscd": {"RSCD_GROUP_SKIP": skips},
        "dark": {"SCI": dark},
        "gain": {"SCI": plane(4)},
        "readnoise": {"SCI": plane(6)},
    }.items():
        counts = dict(zip(("NINTS", "NGROUPS"), planes.get("SCI", dark).shape, strict=False))
        extra = counts if kind == "reset" else {"NFRAMES": 1, "GROUPGAP": 0}
        write(folder / f"{kind}.fits", planes, REFTYPE=kind.upper(), **extra)
    return name, folder


@pytest.fixture
def result(files, tmp_path):
    exposure, folder = files
    return heliodor.run(exposure, folders=folder, out=tmp_path)


def test_slopes_are_found(result):
    rateints = result["rateints"]
    np.testing.assert_allclose(rateints.data[0], SLOPES / TGROUP, rtol=1e-5)
    np.testing.assert_allclose(rateints.data[1], SLOPES / TGROUP, rtol=1e-5)
    np.testing.assert_allclose(result["rate"].data, SLOPES / TGROUP, rtol=1e-5)


def test_flags(result):
    dq = result["rate"].dq
    expected = np.zeros_like(dq)
    expected[JUMP] = JUMP_DET
    neighbours = [(JUMP[0] + y, JUMP[1] + x) for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    for each in neighbours:
        expected[each] = JUMP_DET
    np.testing.assert_array_equal(dq & JUMP_DET, expected)
    around = np.zeros(dq.shape, bool)  # saturation spills over to the nearest pixels
    around[BRIGHT[0] - 1 : BRIGHT[0] + 2, BRIGHT[1] - 1 : BRIGHT[1] + 2] = True
    np.testing.assert_array_equal((dq & PIXEL["FLUX_ESTIMATED"]) != 0, around)


def test_what_was_done_is_told(result):
    status = result["rate"].meta.cal_step
    for name in ("dq_init", "saturation", "lastframe", "reset", "linearity", "rscd", "dark_sub",
                 "jump", "ramp_fit"):  # fmt: skip
        assert getattr(status, name) == "COMPLETE", name
    for name in ("emicorr", "firstframe", "refpix", "ipc"):
        assert getattr(status, name) == "SKIPPED", name
    rscd = result["rate"].meta.rscd
    assert (rscd.ngroups_skip_int1, rscd.ngroups_skip_int2p) == (1, 4)
    assert rscd.keep_groups_saturation_int2p == 9


@pytest.mark.parametrize("kind", ["reset", "rscd"])
def test_a_broken_reference_is_named_with_step_and_exposure(files, tmp_path, kind):
    exposure, folder = files
    path = folder / f"{kind}.fits"
    path.unlink()
    write(path, {"OTHER": np.zeros((2, 2), np.float32)}, REFTYPE=kind.upper())
    with pytest.raises(ReferenceError) as told:
        heliodor.run(exposure, folders=folder, out=tmp_path)
    extension = {"reset": "SCI", "rscd": "RSCD_GROUP_SKIP"}[kind]
    assert str(told.value) == (
        f"{exposure}: {kind}: {path}: this {kind} reference has no {extension} extension"
    )


def test_r13_segments_are_corrected_as_parts_of_one_exposure(files, tmp_path):
    """Dark, reset and rscd count integrations from the exposure's beginning."""
    exposure, folder = files

    def rateints(name, which, **keywords):
        path = tmp_path / f"{name}_uncal.fits"
        with fits.open(exposure) as hdus:
            hdus["SCI"].data = hdus["SCI"].data[which]
            hdus[0].header.update({"NINTS": 5, **keywords})
            hdus.writeto(path)
        return heliodor.run(path, folders=folder)["rateints"]

    whole = rateints("whole", [0, 1, 1, 1, 1])
    first = rateints("first", [0, 1, 1], INTSTART=1, INTEND=3, EXSEGNUM=1, EXSEGTOT=2)
    second = rateints("second", [1, 1], INTSTART=4, INTEND=5, EXSEGNUM=2, EXSEGTOT=2)
    np.testing.assert_allclose(second.data, [SLOPES / TGROUP] * 2, rtol=1e-5)
    for plane in ("data", "err", "dq"):
        joined = np.concatenate([getattr(each, plane) for each in (first, second)])
        np.testing.assert_array_equal(joined, getattr(whole, plane))
    assert second.meta.rscd.ngroups_skip_int1 is None
    assert second.meta.rscd.ngroups_skip_int2p == 4
