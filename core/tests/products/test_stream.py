import errno
import os
import tracemalloc
from collections import namedtuple

import numpy as np
import pytest
from astropy.io import fits
from heliodor.errors import OutputError
from heliodor.products import stream as module
from heliodor.products.assemble import Extension
from heliodor.products.stream import Copied, Encoded, stream


@pytest.fixture(params=["ordinary", "past the cache"], autouse=True)
def way(request, monkeypatch):
    """Both ways to write: large files go past the system's cache."""
    if request.param == "past the cache":
        monkeypatch.setattr(module, "LARGE", 0)


def primary(data=None):
    header = fits.PrimaryHDU(None if data is None else data.array).header
    return Extension("PRIMARY", header, data)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("piece", [64, 1 << 20])
def test_every_type_is_written_as_astropy_does(tmp_path, monkeypatch, dtype, piece):
    monkeypatch.setattr(module, "PIECE", piece)
    rng = np.random.default_rng(1)
    array = rng.integers(0, 256, 8 * 5 * 7 * 11, np.uint8).view(dtype)[: 5 * 7 * 11]
    array = array.reshape(5, 7, 11)
    stream([primary(Encoded(array, array.dtype))], tmp_path / "ours.fits")
    fits.PrimaryHDU(array).writeto(tmp_path / "theirs.fits")
    assert (tmp_path / "ours.fits").read_bytes() == (tmp_path / "theirs.fits").read_bytes()


def test_views_that_are_not_contiguous():
    array = np.arange(4 * 6 * 8, dtype=np.float32).reshape(4, 6, 8)
    for view in (
        array[:, ::2, 1:5],
        array.transpose(2, 0, 1),
        np.broadcast_to(array[0], (3, 6, 8)),
    ):
        content = b"".join(bytes(chunk) for chunk in Encoded(view, view.dtype).chunks())
        assert content == view.astype(">f4").tobytes()


def test_other_types_are_converted_to_the_schemas():
    array = np.array([[1.5, -2.0]])
    content = b"".join(bytes(chunk) for chunk in Encoded(array, np.dtype("f4")).chunks())
    assert content == array.astype(">f4").tobytes()
    with pytest.raises(OutputError, match="cannot hold complex"):
        Encoded(array, np.dtype("c16"))


def test_copied_bytes_are_the_files(tmp_path):
    table = fits.BinTableHDU.from_columns(
        [fits.Column("a", "J", array=[1, 2]), fits.Column("v", "PE()", array=[[1.0], [2.0, 3.0]])],
        name="T",
    )
    image = fits.ImageHDU(np.arange(6, dtype=np.uint16), name="I")
    path = tmp_path / "x.fits"
    fits.HDUList([fits.PrimaryHDU(), table, image]).writeto(path)
    with fits.open(path, do_not_scale_image_data=True) as hdus:
        for name in ("T", "I"):
            info = hdus[name].fileinfo()
            copied = Copied(hdus[name])
            content = b"".join(bytes(chunk) for chunk in copied.chunks())
            assert content == path.read_bytes()[info["datLoc"] :][: copied.nbytes]
        assert Copied(hdus["I"]).dtype == np.uint16


class Failing(Encoded):
    """Fails after its first piece."""

    def __init__(self, error):
        super().__init__(np.zeros(4000, np.float32), np.dtype("f4"))
        self.error = error

    def chunks(self):
        yield b"\0" * 2000
        raise self.error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError(errno.EIO, "I/O")])
def test_nothing_half_written_stays(tmp_path, error):
    path = tmp_path / "x_rate.fits"
    path.write_text("the old one")
    with pytest.raises(OutputError if isinstance(error, OSError) else type(error)):
        stream([primary(Failing(error))], path)
    assert path.read_text() == "the old one"
    assert os.listdir(tmp_path) == ["x_rate.fits"]


def test_disk_full_before_writing(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage(9, 9, 3_500_000))
    array = np.zeros((1000, 1000), np.float32)
    with pytest.raises(
        OutputError, match=r"x\.fits: the disk .* is full.*4\.0 MB, 3\.5 MB are free"
    ):
        stream([primary(Encoded(array, array.dtype))], tmp_path / "x.fits")
    assert os.listdir(tmp_path) == []


def test_disk_full_while_writing(tmp_path):
    with pytest.raises(OutputError, match=r"x\.fits: the disk .* is full"):
        stream([primary(Failing(OSError(errno.ENOSPC, "No space")))], tmp_path / "x.fits")
    assert os.listdir(tmp_path) == []


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match=r"none/x\.fits: cannot be written: No such file"):
        stream([primary()], tmp_path / "none" / "x.fits")


def test_memory_does_not_grow_with_the_product(tmp_path):
    array = np.broadcast_to(np.float32(1), (40, 1000, 1000))
    dq = Encoded(np.zeros((5, 1000, 1000), np.uint32), np.dtype("u4"))
    extensions = [
        Extension("PRIMARY", fits.PrimaryHDU().header),
        Extension("SCI", fits.ImageHDU(array).header, Encoded(array, array.dtype)),
        Extension("DQ", fits.ImageHDU(dq.array).header, dq),
    ]
    tracemalloc.start()
    try:
        stream(extensions, tmp_path / "x.fits")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "x.fits").stat().st_size > 180e6
    assert peak < 10e6
