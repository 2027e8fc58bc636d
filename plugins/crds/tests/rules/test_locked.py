"""Files of a lock are found in the cache by their names, and fetched to where they belong there."""

from __future__ import annotations

import hashlib

import pytest
from heliodor.api import sync
from heliodor.references.lockfile import Lock, LockedFile
from heliodor.references.selectors import Sources
from heliodor_crds import contexts
from heliodor_crds.selector import FETCH, Crds

DARK = "jwst_nircam_dark_0420.fits"
CONTENT = b"dark, but not very"


@pytest.fixture
def lock(tmp_path):
    """A lock of one file; gives its path."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    file = LockedFile(DARK, sha256, len(CONTENT), "crds", "jwst_0001.pmap")
    path = tmp_path / "heliodor.lock"
    Lock({DARK: file}, {"jw1_uncal.fits": {"dark": DARK}}).write(path)
    return path


@pytest.fixture
def no_rules(monkeypatch):
    """Let every question about a context fail."""

    def asked(*_):
        raise AssertionError("rules were asked")

    monkeypatch.setattr(contexts, "opened", asked)


@pytest.mark.parametrize("layout", ["flat", "instrument"])
def test_a_name_says_where_a_file_is(cache, no_rules, layout):
    (cache.config / "ref_cache_subdir_mode").write_text(layout)
    names = [DARK, "jwst_nirspec_pars-jumpstep_0003.asdf", "mygain.fits", "jwst_gain.fits"]
    places = Crds(Sources()).locate(names)
    folder = cache.folder / "references/jwst"
    assert {name: found.path for name, found in places.items()} == {
        DARK: folder / DARK if layout == "flat" else folder / "nircam" / DARK,
        names[1]: folder / names[1] if layout == "flat" else folder / "nirspec" / names[1],
    }
    assert {found.fetch for found in places.values()} == {""}


def test_without_a_cache_nobody_knows(monkeypatch, cache):
    monkeypatch.delenv("CRDS_PATH")
    assert Crds(Sources()).locate([DARK]) == {}


def test_sync_fetches_into_the_cache(cache, fake, lock, no_rules):
    fake.add(DARK, CONTENT)
    place = Crds(Sources()).locate([DARK])[DARK]
    assert place.fetch == FETCH
    (file,) = sync(lock)
    assert (file.standing, file.path) == ("fetched", str(place.path))
    assert place.path.read_bytes() == CONTENT
    asked = len(fake.asked)
    (file,) = sync(lock)
    assert (file.standing, len(fake.asked)) == ("here", asked)


def test_sync_says_what_the_server_lacks(cache, fake, lock, no_rules):
    (file,) = sync(lock)
    assert file.standing == "missing"
    assert f"{DARK} is not there; it was chosen by crds, jwst_0001.pmap" in file.problem
    assert "does not know it" in file.problem


def test_sync_without_a_server(cache, lock, no_rules):
    (file,) = sync(lock)
    assert (file.standing, file.problem.count("is not there")) == ("missing", 1)


def test_a_file_delivered_again_under_its_name(cache, fake, lock, no_rules):
    fake.add(DARK, CONTENT[::-1])
    (file,) = sync(lock)
    assert file.standing == "missing"
    assert "is another file: its SHA-256" in file.problem
