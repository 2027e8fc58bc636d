"""Hashes are those of the files as they are, read again only if they were touched."""

import hashlib
import os
import sqlite3
import time

import pytest
from heliodor import hashes

LONG_AGO = 10 * hashes.SETTLED


@pytest.fixture(autouse=True)
def empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget(monkeypatch)


def forget(monkeypatch):
    """Be another process."""
    monkeypatch.setattr(hashes, "_known", {})


@pytest.fixture
def old_file(tmp_path, monkeypatch):
    """A file that nobody has touched for long, by the clock."""
    path = tmp_path / "gain.fits"
    path.write_bytes(b"electrons")
    later = time.time_ns() + LONG_AGO
    monkeypatch.setattr(hashes.time, "time_ns", lambda: later)
    return path


@pytest.fixture
def reads(monkeypatch):
    """Count the files that are read to be hashed."""
    counted = []
    digest = hashlib.file_digest
    monkeypatch.setattr(
        hashes.hashlib, "file_digest", lambda *given: counted.append(1) or digest(*given)
    )
    return counted


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_a_hash_is_remembered_across_processes(old_file, reads, monkeypatch):
    first = hashes.file_sha256(old_file)
    forget(monkeypatch)
    assert hashes.file_sha256(old_file) == first == sha256(b"electrons")
    assert len(reads) == 1


def test_a_changed_file_is_read_again_even_if_its_time_is_put_back(old_file, reads, monkeypatch):
    hashes.file_sha256(old_file)
    state = old_file.stat()
    old_file.write_bytes(b"positrons")
    os.utime(old_file, ns=(state.st_atime_ns, state.st_mtime_ns))
    for _ in range(2):
        assert hashes.file_sha256(old_file) == sha256(b"positrons")
        forget(monkeypatch)
    assert len(reads) == 2


def test_a_file_changed_just_now_is_not_remembered(tmp_path, reads, monkeypatch):
    path = tmp_path / "new.fits"
    path.write_bytes(b"1")
    hashes.file_sha256(path)
    forget(monkeypatch)
    hashes.file_sha256(path)
    assert len(reads) == 2


@pytest.mark.parametrize("spoil", ["garbage", "a folder", "no folder"])
def test_a_store_that_cannot_be_used_is_done_without(old_file, spoil, monkeypatch):
    place = hashes.store()
    if spoil == "no folder":
        place.parent.parent.mkdir()
        place.parent.write_text("in the way")
    elif spoil == "a folder":
        place.mkdir(parents=True)
    else:
        place.parent.mkdir(parents=True)
        place.write_bytes(b"not a database" * 100)
    assert hashes.file_sha256(old_file) == sha256(b"electrons")


def test_the_oldest_are_forgotten(tmp_path, old_file, monkeypatch):
    monkeypatch.setattr(hashes, "MOST", 2)
    for name in "abc":
        (tmp_path / name).write_text(name)
        hashes.file_sha256(tmp_path / name)
    with sqlite3.connect(hashes.store()) as database:
        places = [row[0] for row in database.execute("SELECT place FROM files ORDER BY rowid")]
    assert places == [str(tmp_path / name) for name in "bc"]
