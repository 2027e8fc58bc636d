"""Arrays of a FITS file, read part by part into native memory."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from heliodor import fitsarrays
from heliodor.fitsarrays import StoredArray, decode, read_image

SHAPE = (2, 3, 5, 7)
STORED = ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"]


def numbers(dtype: str, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Random values with the smallest and largest of the type."""
    rng = np.random.default_rng(7)
    if np.dtype(dtype).kind == "f":
        out = rng.normal(size=shape).astype(dtype)
        out.flat[0] = np.nan
        return out
    info = np.iinfo(dtype)
    out = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    out.flat[:2] = info.min, info.max
    return out


@pytest.fixture
def write(tmp_path):
    """Write an array as an extension; returns the path."""

    def write(data: np.ndarray, **keywords: Any) -> Path:
        hdu = fits.ImageHDU(data, name="SCI")
        hdus = fits.HDUList([fits.PrimaryHDU(), hdu])
        hdus.writeto(tmp_path / "file.fits")
        for key, value in keywords.items():
            fits.setval(tmp_path / "file.fits", key, value=value, ext=1)
        return tmp_path / "file.fits"

    return write


@pytest.fixture
def stored(write):
    """Write an array and open it as stored."""
    opened = []

    def store(data: np.ndarray, **keywords: Any) -> StoredArray:
        path = write(data, **keywords)
        opened.append(fits.open(path, do_not_scale_image_data=True, memmap=True))
        return StoredArray(opened[-1]["SCI"])

    yield store
    for hdus in opened:
        hdus.close()


@pytest.mark.parametrize("dtype", STORED)
def test_values_come_back(stored, dtype):
    data = numbers(dtype)
    array = stored(data)
    out = array.read(..., dtype)
    assert array.shape == SHAPE
    assert out.dtype == np.dtype(dtype)
    assert out.dtype.isnative
    assert out.flags.c_contiguous
    assert out.flags.writeable
    np.testing.assert_array_equal(out, data)


@pytest.mark.parametrize("dtype", ["i2", "u2", "f4", "f8"])
def test_float32_is_the_usual_result(stored, dtype):
    data = numbers(dtype)
    out = stored(data).read()
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, data.astype(np.float32))


@pytest.mark.parametrize(
    "index",
    [
        0,
        (1, 2),
        (..., slice(1, 4), slice(2, 6)),
        (slice(None), -1),
        (1, 2, 4, 6),
        (1, ..., 3),
        (slice(0, 1), slice(1, 3), ..., slice(-2, None), slice(0, 7)),
        (0, slice(None), slice(2, 2)),
        (..., slice(None, None, 2), slice(None)),
        (np.int64(1), ..., np.array([4, 0])),
    ],
)
def test_parts(stored, index):
    data = numbers("u2")
    out = stored(data).read(index)
    np.testing.assert_array_equal(out, data[index].astype(np.float32))


def test_an_image_larger_than_the_buffer(stored, monkeypatch):
    monkeypatch.setattr(fitsarrays, "PIECE", 40)
    data = numbers("i2", (3, 11, 9))
    np.testing.assert_array_equal(stored(data).read((..., slice(2, 10), slice(3, 8)), "i2"),
                                  data[:, 2:10, 3:8])  # fmt: skip


@pytest.mark.parametrize("piece", [40, fitsarrays.PIECE])
@pytest.mark.parametrize(
    "index", [..., (1, slice(1, 3), ..., slice(2, 6)), (..., slice(None, None, 2), slice(None))]
)
def test_one_image_after_the_other(stored, monkeypatch, piece, index):
    monkeypatch.setattr(fitsarrays, "PIECE", piece)
    data = numbers("u2")
    images = stored(data).images(index)
    expected = data[index].astype(np.float32)
    for wanted in expected.reshape(-1, *expected.shape[-2:]):
        image = next(images)
        assert image.flags.c_contiguous
        np.testing.assert_array_equal(image, wanted)
    assert next(images, None) is None


def test_images_take_the_memory_of_one(stored):
    assert len({id(image) for image in stored(numbers("f4")).images()}) == 1


def test_an_array_with_one_axis(stored):
    data = numbers("f4", (20,))
    np.testing.assert_array_equal(stored(data).read(slice(3, 9)), data[3:9])


def test_what_is_changed_stays_out_of_the_file(stored):
    array = stored(numbers("f4"))
    array.read()[:] = 0
    np.testing.assert_array_equal(array.read(), numbers("f4"))


@pytest.mark.parametrize(
    ("zero", "scale"), [(100, 1), (0.5, 0.25), (0, 2), (-32768, 1), (32768, 2)]
)
def test_scaled_integers(stored, zero, scale):
    data = np.array([[-32768, -1, 0, 1, 32767]], np.int16)
    array = stored(data, BZERO=zero, BSCALE=scale)
    np.testing.assert_array_equal(array.read(..., np.float64), data * float(scale) + zero)


def test_a_short_file_is_refused_at_once(write):
    path = write(np.zeros((50, 100), np.float32))
    path.write_bytes(path.read_bytes()[:10_000])
    with (
        pytest.warns(AstropyUserWarning, match="truncated"),
        fits.open(path, do_not_scale_image_data=True, memmap=True) as hdus,
        pytest.raises(EOFError, match="ends before its data"),
    ):
        StoredArray(hdus["SCI"])


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="the system does not tell")
def test_nothing_stays_mapped(stored):
    array = stored(numbers("f4"))
    array.read((0, 1))
    assert "file.fits" not in Path("/proc/self/maps").read_text()


def test_a_file_in_memory(write):
    content = io.BytesIO(write(numbers("u2")).read_bytes())
    with fits.open(content, do_not_scale_image_data=True) as hdus:
        np.testing.assert_array_equal(StoredArray(hdus["SCI"]).read(..., "u2"), numbers("u2"))


def test_unsigned_bits_are_kept_exactly():
    raw = np.array([-(2**31), -1, 0, 2**31 - 1], ">i4")
    out = np.empty(4, np.uint32)
    decode(raw, out, zero=2**31)
    assert out.tolist() == [0, 2**31 - 1, 2**31, 2**32 - 1]


# ------------------------------------------------------------------ plain reads


@pytest.mark.parametrize("dtype", STORED)
@pytest.mark.parametrize("threads", [1, 3])
def test_reading_without_a_map(write, monkeypatch, dtype, threads):
    monkeypatch.setattr(fitsarrays, "PIECE", 16)  # many pieces, the last one shorter
    data = numbers(dtype)
    path = write(data)
    with fits.open(path) as hdus:
        out = read_image(path, hdus["SCI"], dtype, threads)
    assert out.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(out, data)


@pytest.mark.parametrize("index", [(0,), (1,), (1, 2), (0, 1, 4)])
def test_one_item_along_the_first_axes(write, index):
    data = numbers("u2")
    path = write(data)
    with fits.open(path) as hdus:
        out = read_image(path, hdus["SCI"], index=index)
    np.testing.assert_array_equal(out, data[index].astype(np.float32))


@pytest.mark.filterwarnings("ignore:.*truncated")
def test_a_file_that_ends_too_early(write):
    path = write(np.ones((100, 100), np.float32))
    with open(path, "r+b") as file:
        file.truncate(path.stat().st_size - 8000)
    with fits.open(path) as hdus, pytest.raises(EOFError, match="ends before its data"):
        read_image(path, hdus["SCI"])
