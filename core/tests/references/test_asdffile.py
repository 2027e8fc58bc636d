"""Reference files that are ASDF."""

from __future__ import annotations

import asdf
import numpy as np
import pytest
from heliodor.errors import ReferenceError
from heliodor.references import asdffile, index
from heliodor.references.files import Reference


@pytest.fixture
def path(tmp_path):
    """Write a file with an array block and tags."""
    path = tmp_path / "waves.asdf"
    meta = {
        "reftype": "emicorr",
        "useafter": "2022-01-01T00:00:00",
        "instrument": {"name": "MIRI", "detector": "MIRIMAGE"},
        "exposure": {"readpatt": "FASTR1"},
        "matrix": np.eye(2),
    }
    asdf.AsdfFile({"before": [1], "meta": meta, "waves": np.arange(9.0)}).write_to(path)
    return path


def test_what_it_says_of_itself(path):
    assert asdffile.keywords(path) == {
        "REFTYPE": "emicorr",
        "USEAFTER": "2022-01-01T00:00:00",
        "INSTRUME": "MIRI",
        "DETECTOR": "MIRIMAGE",
        "READPATT": "FASTR1",
    }


def test_it_is_found_in_a_folder(path):
    (path.parent / "other.asdf").write_text("no ASDF file")
    asdf.AsdfFile({"meta": {"title": "no reference"}}).write_to(path.parent / "third.asdf")
    found = {entry.path.name: entry for entry in index.read(path.parent)}
    assert set(found) == {"waves.asdf", "other.asdf"}
    assert found["waves.asdf"].value("REFTYPE") == "EMICORR"
    assert not found["other.asdf"].readable


def test_its_tree_as_a_reference(path):
    reference = Reference("emicorr", path, {}, (4, 4))
    np.testing.assert_array_equal(reference.tree()["waves"], np.arange(9.0))
    assert reference.header["DETECTOR"] == "MIRIMAGE"
    assert not reference.has("SCI")
    with pytest.raises(ReferenceError, match="no SCI extension"):
        reference.plane("SCI")
    reference.close()


def test_a_broken_file(path):
    path.write_text("no ASDF file")
    with pytest.raises(ReferenceError, match="not a readable"):
        Reference("emicorr", path, {}, (4, 4))
    with pytest.raises(ReferenceError, match="not a readable"):
        asdffile.content(path)


@pytest.mark.parametrize("compression", [None, "zlib", "bzp2"])
@pytest.mark.parametrize("storage", ["internal", "inline"])
def test_arrays_of_all_kinds(tmp_path, storage, compression):
    arrays = {
        "double": np.linspace(0, 1, 12).reshape(3, 4),
        "single": np.arange(5, dtype=np.float32),
        "big": np.arange(6, dtype=">i2").reshape(2, 3),
    }
    path = tmp_path / "arrays.asdf"
    tree = {"meta": {"reftype": "x"}, "a": {"b": [arrays, 7, "text"]}}
    asdf.AsdfFile(tree).write_to(path, all_array_storage=storage, all_array_compression=compression)
    found, seven, text = asdffile.content(path)["a"]["b"]
    assert (seven, text) == (7, "text")
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype.isnative
        assert found[name].flags.c_contiguous


def test_a_tree_that_ends_too_early(path):
    text = path.read_bytes()
    path.write_bytes(text[: text.index(b"\n...") - 1])
    with pytest.raises(ReferenceError, match="truncated"):
        asdffile.content(path)


def test_records_text_and_strided_arrays(tmp_path):
    path = tmp_path / "records.asdf"
    records = np.array(
        [(1, 2.5, [1, 2]), (3, 4.5, [3, 4])], [("a", "i4"), ("b", ">f8"), ("c", "i2", 2)]
    )
    plane = np.arange(20.0).reshape(4, 5)
    tree = {
        "meta": {"reftype": "x"},
        "records": records,
        "names": np.array(["one", "three"]),
        "letters": np.array([b"ab", b"c"]),
        "plane": plane,
        "part": plane[1::2, ::2],
    }
    for storage in ("internal", "inline"):
        asdf.AsdfFile(tree).write_to(path, all_array_storage=storage)
        found = asdffile.content(path)
        assert found["records"].dtype.names == ("a", "b", "c")
        for name in ("a", "b", "c"):
            np.testing.assert_array_equal(found["records"][name], records[name])
        assert found["names"].tolist() == ["one", "three"]
        assert found["letters"].tolist() == [b"ab", b"c"]
        np.testing.assert_array_equal(found["part"], plane[1::2, ::2])
        assert found["plane"].dtype.isnative


def test_what_is_not_read(tmp_path):
    path = tmp_path / "masked.asdf"
    masked = np.ma.array(np.zeros(300), mask=np.arange(300) % 2)
    asdf.AsdfFile({"meta": {"reftype": "x"}, "masked": masked}).write_to(path)
    with pytest.raises(ReferenceError, match=r"masked\.asdf: masked arrays"):
        asdffile.content(path)
    asdf.AsdfFile({"meta": {"reftype": "x"}, "plane": np.zeros(300)}).write_to(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ReferenceError, match=r"masked\.asdf"):
        asdffile.content(path)
