"""What the files of a folder say of themselves."""

from __future__ import annotations

import pytest
from heliodor.errors import ReferenceError
from heliodor.references import index


def test_headers_are_read_once(tmp_path, write, monkeypatch):
    write("gain.fits", REFTYPE="GAIN", INSTRUME="X")
    first = index.read(tmp_path)
    monkeypatch.setattr(index, "_keywords", lambda path: pytest.fail("read again"))
    assert index.read(tmp_path) == first


def test_entries_are_sorted_by_path(tmp_path, write):
    for name in ("b.fits", "a/z.fits", "c.fits"):
        write(name, REFTYPE="GAIN")
    found = [str(entry.path.relative_to(tmp_path)) for entry in index.read(tmp_path)]
    assert found == sorted(found)
    assert len(found) == 3


def test_only_references_are_listed(tmp_path, write):
    write("gain.fits", REFTYPE="GAIN")
    write("x_uncal.fits", INSTRUME="X")
    (tmp_path / "notes.fits").write_text("no FITS file")
    (tmp_path / "folder.fits").mkdir()
    entries = index.read(tmp_path)
    assert [entry.path.name for entry in entries if entry.readable] == ["gain.fits"]
    assert [entry.path.name for entry in entries if not entry.readable] == ["notes.fits"]


def test_values_are_compared_without_case_and_space(tmp_path, write):
    write("gain.fits", REFTYPE="gain ", DETECTOR=" nrca1")
    (entry,) = index.read(tmp_path)
    assert entry.value("REFTYPE") == "GAIN"
    assert entry.value("DETECTOR") == "NRCA1"
    assert entry.value("SUBARRAY") == ""


def test_numbers(tmp_path, write):
    write("gain.fits", REFTYPE="GAIN", SUBSTRT1=5)
    (entry,) = index.read(tmp_path)
    assert (entry.number("SUBSTRT1"), entry.number("SUBSTRT2")) == (5, None)


@pytest.mark.parametrize(
    ("key", "name"), [("DETECTOR", "P_DETECT"), ("SUBARRAY", "P_SUBARR"), ("BAND", "P_BAND")]
)
def test_widening_keyword(key, name):
    assert index.widening(key) == name


def test_allowed_values(tmp_path, write):
    write("gain.fits", REFTYPE="GAIN", FILTER="F070W", P_FILTER="F090W | F115W|")
    (entry,) = index.read(tmp_path)
    assert entry.allowed("FILTER") == {"F070W", "F090W", "F115W"}
    assert entry.allowed("PUPIL") == {""}


def test_no_such_folder(tmp_path):
    with pytest.raises(ReferenceError, match="nowhere: there is no such folder"):
        index.read(tmp_path / "nowhere")
