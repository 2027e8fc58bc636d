import gzip
import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from heliodor import exposures
from heliodor.errors import ExposureError


def test_look_reads_the_headers(make_uncal):
    exposure = exposures.look(make_uncal(), stage=1)
    assert exposure.level == "uncal"
    assert exposure.shape == (2, 3, 4, 8)
    assert exposure.planes == ("SCI", "INT_TIMES", "ASDF")
    assert (exposure.rootname, exposure.suffix) == ("jw01234001001_02101_00001_nrca1", "uncal")
    assert exposure.keywords["INSTRUME"] == "NIRCAM"
    assert exposure.keywords["RA_REF"] == 53.1625
    assert exposure.size == exposure.path.stat().st_size


def test_looking_imports_nothing_heavy():
    heavy = "asdf", "stdatamodels", "numba", "crds", "scipy"
    code = f"import sys, heliodor.exposures; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_missing_empty_folder_and_text(tmp_path):
    with pytest.raises(ExposureError, match=r"nothing\.fits: there is no such file"):
        exposures.look(tmp_path / "nothing.fits")
    with pytest.raises(ExposureError, match="is a folder"):
        exposures.look(tmp_path)
    empty = tmp_path / "empty.fits"
    empty.touch()
    with pytest.raises(ExposureError, match="is empty"):
        exposures.look(empty)
    text = tmp_path / "text.fits"
    text.write_text("SIMPLE is not what this file is" * 200)
    with pytest.raises(ExposureError, match=r"text\.fits: not a FITS file"):
        exposures.look(text)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(make_uncal):
    path = make_uncal()
    path.chmod(0)
    with pytest.raises(ExposureError, match="may not be read"):
        exposures.look(path)


@pytest.mark.parametrize("keep", [0.2, 0.55, 0.9])
def test_truncated(make_uncal, keep):
    path = make_uncal(shape=(2, 3, 64, 64))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(ExposureError, match=r"truncated|broken header|no SCI"):
        exposures.look(path)


def test_truncated_in_the_data_says_so(make_uncal):
    path = make_uncal(shape=(2, 3, 64, 64))
    content = path.read_bytes()
    path.write_bytes(content[:20000])
    with pytest.raises(ExposureError, match="truncated: 20000 bytes, but its headers announce"):
        exposures.look(path)


def test_level_2_file_is_refused_by_stage_1(tmp_path):
    path = tmp_path / "x_rate.fits"
    science = fits.ImageHDU(np.zeros((4, 8), np.float32), name="SCI")
    science.header["BUNIT"] = "DN/s"
    fits.HDUList([fits.PrimaryHDU(), science]).writeto(path)
    assert exposures.look(path).level == "rate"
    with pytest.raises(ExposureError, match=r"level rate .* stage 1 takes ramps"):
        exposures.look(path, stage=1)
    with pytest.raises(ExposureError, match="stage 1 takes ramps"):
        exposures.read_ramp(exposures.look(path))


@pytest.mark.parametrize(
    ("shape", "unit", "level"),
    [((2, 4, 8), "DN/s", "rateints"), ((4, 8), "MJy/sr", "cal"), ((2, 4, 8), "MJy/sr", "calints")],
)
def test_levels_by_shape_and_unit(tmp_path, shape, unit, level):
    science = fits.ImageHDU(np.zeros(shape, np.float32), name="SCI")
    science.header["BUNIT"] = unit
    path = tmp_path / "x.fits"
    fits.HDUList([fits.PrimaryHDU(), science]).writeto(path)
    assert exposures.look(path).level == level


def test_missing_keywords_are_named(make_uncal):
    path = make_uncal(keywords={"EXP_TYPE": None, "NGROUPS": None})
    assert exposures.look(path).level == "uncal"
    with pytest.raises(ExposureError, match=r"lacks the keyword.*EXP_TYPE, NGROUPS"):
        exposures.look(path, stage=1)


def test_wrong_number_of_groups(make_uncal):
    with pytest.raises(ExposureError, match="NGROUPS = 7, but SCI holds 3 groups"):
        exposures.look(make_uncal(keywords={"NGROUPS": 7}), stage=1)


def test_no_science_extension(tmp_path):
    path = tmp_path / "x_uncal.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros(3), name="OTHER")]).writeto(path)
    with pytest.raises(ExposureError, match=r"has no SCI extension \(extensions: OTHER\)"):
        exposures.look(path)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 3, 4, 8), (1, 5, 512, 512)])
def test_read_ramp(make_uncal, shape, threads):
    path = make_uncal(shape=shape)
    ramp = exposures.read_ramp(exposures.look(path), threads)
    with fits.open(path) as hdus:
        np.testing.assert_array_equal(ramp.data, hdus["SCI"].data)
    assert ramp.data.dtype == np.dtype("=f4")
    assert ramp.data.flags.c_contiguous
    assert ramp.data.flags.writeable
    assert ramp.groupdq.shape == shape
    assert ramp.groupdq.dtype == np.uint8
    assert not ramp.groupdq.any()
    assert ramp.pixeldq.shape == shape[2:]
    assert ramp.pixeldq.dtype == np.uint32
    assert ramp.zeroframe is None
    ramp.keywords["MINE"] = 1
    assert "MINE" not in ramp.source.keywords


def test_read_compressed_file(make_uncal, tmp_path):
    path = make_uncal()
    packed = tmp_path / "jw_uncal.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    exposure = exposures.look(packed)
    assert (exposure.rootname, exposure.suffix) == ("jw", "uncal")
    expected = exposures.read_ramp(exposures.look(path)).data
    np.testing.assert_array_equal(exposures.read_ramp(exposure).data, expected)


@pytest.mark.parametrize("said", [True, False])
def test_zeroframe_counts_only_if_the_header_says_so(make_uncal, said):
    zero = np.arange(2 * 4 * 8, dtype=np.uint16).reshape(2, 4, 8) + 40000
    path = make_uncal(
        keywords={"ZEROFRAM": said}, extensions=(fits.ImageHDU(zero, name="ZEROFRAME"),)
    )
    ramp = exposures.read_ramp(exposures.look(path))
    if said:
        assert ramp.zeroframe.dtype == np.float32
        np.testing.assert_array_equal(ramp.zeroframe, zero)
    else:
        assert ramp.zeroframe is None


def test_planes_of_a_wrong_shape(make_uncal):
    path = make_uncal(extensions=(fits.ImageHDU(np.zeros((4, 9), np.uint32), name="PIXELDQ"),))
    with pytest.raises(ExposureError, match=r"PIXELDQ has shape \(4, 9\).*must have \(4, 8\)"):
        exposures.read_ramp(exposures.look(path))


STRIPES = {
    "SLOWAXIS": 2, "FASTAXIS": 1, "SUBSTRT1": 1, "SUBSTRT2": 11, "SUBSIZE1": 8, "SUBSIZE2": 4,
    "MSTR_RD1": 0, "MSTR_SK1": 0, "MSTR_RD2": 0, "MSTR_SK2": 0, "MSTR_RPT": 0, "MSTR_ILV": 0,
    "SSTR_STP": 4, "SSTR_NST": 2,
}  # fmt: skip


def test_superstripes_have_a_plane_of_flags_each(make_uncal):
    ramp = exposures.read_ramp(exposures.look(make_uncal(keywords=STRIPES)))
    assert ramp.pixeldq.shape == (2, 4, 8)
    np.testing.assert_array_equal(ramp.stripes.lines, [range(10, 14), range(14, 18)])
    flags = np.arange(64, dtype=np.uint32).reshape(2, 4, 8)
    path = make_uncal(keywords=STRIPES, extensions=(fits.ImageHDU(flags, name="PIXELDQ"),))
    np.testing.assert_array_equal(exposures.read_ramp(exposures.look(path)).pixeldq, flags)


def test_stripes_have_one_plane_of_flags(make_uncal):
    one = {**STRIPES, "MSTR_RD2": 4, "SSTR_NST": 0}
    ramp = exposures.read_ramp(exposures.look(make_uncal(keywords=one)))
    assert ramp.pixeldq.shape == (4, 8)
    assert not ramp.stripes.superstripes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SSTR_NST": 3}, r"uncal.fits: 2 integrations are not a multiple of 3 superstripes"),
        ({"SUBSIZE2": 5}, r"uncal.fits: An array of 5 lines"),
    ],
)
def test_stripes_that_cannot_be(make_uncal, changes, message):
    with pytest.raises(ExposureError, match=message):
        exposures.read_ramp(exposures.look(make_uncal(keywords={**STRIPES, **changes})))


def test_hash_follows_the_file(make_uncal):
    path = make_uncal()
    first = exposures.look(path).sha256
    assert first == exposures.file_sha256(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    assert exposures.file_sha256(path) != first
