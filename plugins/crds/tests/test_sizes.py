"""Sizes of files are remembered, and nothing depends on it."""

from __future__ import annotations

import pytest
from heliodor_crds.server import Server
from heliodor_crds.sizes import remember, remembered


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "heliodor" / "crds" / "sizes.json"


def test_what_a_server_says_is_remembered(fake):
    fake.add("a.fits", b"123")
    fake.add("b.fits", b"12345")
    fake.listed["c.fits"] = "NOT FOUND"
    assert remembered(["a.fits"]) == {}
    assert Server.from_environment().entries(("a.fits",)).keys() == {"a.fits"}
    assert remembered(["a.fits", "b.fits", "c.fits"]) == {"a.fits": 3, "b.fits": 5}


@pytest.mark.parametrize("text", ["", "[1]", '{"a.fits": "many"}', "null"])
def test_what_cannot_be_read_is_not_known(place, text):
    place.parent.mkdir(parents=True)
    place.write_text(text)
    assert remembered(["a.fits"]) == {}


def test_where_nothing_can_be_written_nothing_is_kept(place):
    place.parent.parent.mkdir(parents=True)
    place.parent.write_text("no folder")
    remember({"a.fits": 3})
    assert remembered(["a.fits"]) == {}
