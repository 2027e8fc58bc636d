"""Files written past the system's cache hold what was written, whatever the file system can."""

import errno
import os

import pytest
from heliodor.products import pastcache
from heliodor.products.pastcache import PastCache

pytestmark = pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="Linux has it")

REFUSED = OSError(errno.EINVAL, "Invalid argument")


def write(path, pieces):
    with PastCache(path) as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return path.read_bytes()


@pytest.mark.parametrize("length", [0, 1, 4096, 8192, 8193, 30_001])
@pytest.mark.parametrize("piece", [1, 2880, 20_000])
def test_any_length_in_any_pieces(tmp_path, monkeypatch, length, piece):
    monkeypatch.setattr(pastcache, "BUFFER", 8192)
    content = os.urandom(length)
    pieces = [memoryview(content)[n : n + piece] for n in range(0, length, piece)]
    assert write(tmp_path / "x", pieces) == content


def test_an_existing_file_is_replaced(tmp_path):
    (tmp_path / "x").write_bytes(b"longer than the new one")
    assert write(tmp_path / "x", [b"new"]) == b"new"


def test_a_file_system_that_cannot_open_so(tmp_path, monkeypatch):
    real = os.open

    def refuse(path, flags, *mode):
        if flags & os.O_DIRECT:
            raise REFUSED
        return real(path, flags, *mode)

    monkeypatch.setattr(pastcache.os, "open", refuse)
    content = os.urandom(3 * pastcache.BUFFER // 2)
    assert write(tmp_path / "x", [content]) == content


def test_a_file_system_that_opens_but_cannot_write_so(tmp_path, monkeypatch):
    real, refused = os.write, []

    def refuse_once(file, data):
        if not refused:
            refused.append(1)
            raise REFUSED
        return real(file, data)

    monkeypatch.setattr(pastcache.os, "write", refuse_once)
    content = os.urandom(3 * pastcache.BUFFER // 2)
    assert write(tmp_path / "x", [content]) == content
    assert refused


def test_a_disk_may_take_less_than_it_was_given(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(pastcache, "BUFFER", 16384)
    monkeypatch.setattr(pastcache.os, "write", lambda file, data: real(file, data[:4096]))
    content = os.urandom(50_000)
    assert write(tmp_path / "x", [content]) == content


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EINVAL])
def test_other_failures_are_passed_on(tmp_path, monkeypatch, code):
    def fail(file, data):
        raise OSError(code, "no")

    monkeypatch.setattr(pastcache.os, "write", fail)
    with pytest.raises(OSError, match="no"):
        write(tmp_path / "x", [b"1"])
