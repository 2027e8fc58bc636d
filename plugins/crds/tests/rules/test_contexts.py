"""Contexts: which one is meant, what is missing, and what is kept of them."""

from __future__ import annotations

import json
import os

import pytest
from heliodor.declare import RefNeed
from heliodor.errors import NotYetError, ReferenceError, UsageError
from heliodor.references.selectors import Found, Sources, Unknown
from heliodor_crds import contexts, mappings, settings

NAMES = ("META.INSTRUMENT.DETECTOR",)
NRCA1 = {"DETECTOR": "NRCA1"}
HEADER = {"INSTRUME": "NIRCAM", "DATE-OBS": "2022-07-12", "TIME-OBS": "01:02:03.4"}


def rules(name):
    return f"Match({{'NRCA1': UseAfter({{'2022-01-01 00:00:00': {name!r}}})}})"


@pytest.fixture
def two(cache):
    """A cache with two contexts that choose different darks."""
    cache.rules("dark", NAMES, rules("old.fits"))
    cache.context(1)
    cache.types["DARK"] = "jwst_nircam_dark_0002.rmap"
    old = cache.mappings / "jwst_nircam_dark_0001.rmap"
    header = {"mapping": "REFERENCE", "instrument": "NIRCAM", "filekind": "DARK"}
    parkey = (NAMES, ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME"))
    cache.write("jwst_nircam_dark_0002.rmap", {**header, "parkey": parkey}, rules("new.fits"))
    cache.context(2)
    assert old.exists()
    return cache


def said(cache, **info):
    (cache.config / "server_config").write_text(repr(info))


# ------------------------------------------------------------------ which context


def test_the_one_that_is_asked_for_counts_most(two, select, monkeypatch):
    said(two, latest_context="jwst_0002.pmap")
    assert select("dark", context="", **NRCA1).path.name == "new.fits"
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    assert select("dark", context="", **NRCA1).path.name == "old.fits"
    assert select("dark", context="jwst_0002.pmap", **NRCA1).path.name == "new.fits"


@pytest.mark.parametrize("name", ["latest", "jwst-latest", "operational", "jwst-operational"])
def test_latest_is_what_the_server_said_last(two, select, name):
    said(two, operational_context="jwst_0001.pmap", latest_context="jwst_0002.pmap")
    assert select("dark", context=name, **NRCA1).context == "jwst_0002.pmap"


def test_contexts_in_the_making(two, select):
    said(two, edit_context="jwst_0002.pmap")
    assert select("dark", context="jwst-edit", **NRCA1).context == "jwst_0002.pmap"


@pytest.mark.parametrize("name", ["build", "jwst-2024-07-01", "2024-07-01T12:00:00"])
def test_what_only_a_server_knows(two, select, name):
    with pytest.raises(ReferenceError, match=f"'{name}' stands for only a server knows.*0001.pmap"):
        select("dark", context=name, **NRCA1)


def test_no_context_at_all(two, select):
    with pytest.raises(ReferenceError, match=r"none is set.*--context or CRDS_CONTEXT.*0002\.pmap"):
        select("dark", context="", **NRCA1)


@pytest.mark.parametrize("name", ["jwst_0001", "jwst_0001.imap", "soon", "../jwst_0001.pmap"])
def test_what_is_no_context(two, select, name):
    with pytest.raises(UsageError, match="is no CRDS context"):
        select("dark", context=name, **NRCA1)


def test_a_context_that_is_not_in_the_cache(two, select):
    with pytest.raises(
        ReferenceError,
        match=r"jwst_9999.pmap is not in .*; there are: jwst_0001.pmap, jwst_0002.pmap\. CRDS",
    ):
        select("dark", context="jwst_9999.pmap", **NRCA1)


def test_two_contexts_side_by_side(two, select):
    files = [select("dark", context=f"jwst_000{n}.pmap", **NRCA1).path.name for n in (1, 2, 1)]
    assert files == ["old.fits", "new.fits", "old.fits"]


# ------------------------------------------------------------------ what is missing


def test_nothing_is_set_up(select, monkeypatch):
    monkeypatch.delenv("CRDS_PATH", raising=False)
    assert select("dark", context="", **NRCA1) == Unknown("CRDS_PATH is not set")
    with pytest.raises(UsageError, match=r"--context jwst_0001.pmap: CRDS_PATH is not set"):
        select("dark", context="jwst_0001.pmap", **NRCA1)
    # perhaps another source knows it
    assert select("dark", context="ours-2.0", **NRCA1) == Unknown("CRDS_PATH is not set")


def test_the_context_of_a_build_counts_where_none_is_asked_for(two, monkeypatch):
    from heliodor_crds.selector import Crds

    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")

    def chosen(**given):
        selector = Crds(Sources(usual_context="jwst_0002.pmap", **given))
        return selector.select((RefNeed("dark"),), {**HEADER, **NRCA1})["dark"].context

    assert chosen() == "jwst_0002.pmap"
    assert chosen(context="jwst_0001.pmap") == "jwst_0001.pmap"
    monkeypatch.delenv("CRDS_PATH")
    answer = Crds(Sources(usual_context="jwst_0002.pmap")).select((RefNeed("dark"),), HEADER)
    assert answer == {"dark": Unknown("CRDS_PATH is not set")}


def test_the_folder_is_not_there(select, monkeypatch, tmp_path):
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    for context in ("", "jwst_0001.pmap"):
        with pytest.raises(ReferenceError, match="nowhere/mappings/jwst: there is no such folder"):
            select("dark", context=context, **NRCA1)


@pytest.mark.parametrize(
    ("name", "parent"),
    [("jwst_nircam_0001.imap", "jwst_0001.pmap"), ("jwst_nircam_dark_0001.rmap", "jwst_nircam")],
)
def test_a_missing_mapping_is_named_with_what_names_it(two, select, name, parent):
    (two.mappings / name).unlink()
    with pytest.raises(ReferenceError, match=f"{name}: this mapping, named by {parent}.*not in"):
        select("dark", **NRCA1)


@pytest.mark.parametrize("name", ["jwst_0001.pmap", "jwst_nircam_0001.imap"])
def test_a_broken_mapping_is_named(two, select, name):
    (two.mappings / name).write_text("header = {")
    with pytest.raises(ReferenceError, match=f"{name}: this mapping.*cannot be used: SyntaxError"):
        select("dark", **NRCA1)


def test_rules_that_are_not_asked_may_be_broken(two, select):
    two.rules("flat", NAMES, "nothing")
    two.types["DARK"] = "jwst_nircam_dark_0001.rmap"
    two.context(3)
    assert select("dark", context="jwst_0003.pmap", **NRCA1).path.name == "old.fits"


def test_a_file_that_is_not_there_is_found_all_the_same(two, select):
    answer = select("dark", **NRCA1)
    assert isinstance(answer, Found)
    assert answer.fetch == ""
    assert answer.why.endswith("; not in the cache, and CRDS_SERVER_URL names no server")
    answer.path.parent.mkdir(parents=True)
    answer.path.touch()
    assert "CRDS_SERVER_URL" not in select("dark", **NRCA1).why


def test_a_server_is_named_as_what_fetches(two, select, monkeypatch):
    monkeypatch.setenv("CRDS_SERVER_URL", "https://jwst-crds.stsci.edu")
    assert select("dark", **NRCA1).fetch == "heliodor_crds.fetch:fetch"
    monkeypatch.setenv("CRDS_SERVER_URL", "https://jwst-serverless-mode.stsci.edu")
    assert select("dark", **NRCA1).fetch == ""


@pytest.mark.parametrize("name", [
    "old.fits", "jwst_nircam_dark_0001.rmap", "jwst_nircam_0001.imap", "jwst_0001.pmap",
])  # fmt: skip
def test_what_was_declared_invalid_is_refused(two, select, monkeypatch, name):
    said(two, bad_files_list=[name])
    # what the server said is read once for an open context
    contexts._opened.cache_clear()
    with pytest.raises(ReferenceError, match=f"{name} was declared scientifically invalid"):
        select("dark", **NRCA1)
    kind = "REFERENCES" if name == "old.fits" else "RULES"
    monkeypatch.setenv(f"CRDS_ALLOW_BAD_{kind}", "1")
    assert select("dark", **NRCA1).path.name == "old.fits"


# ------------------------------------------------------------------ where references lie


def test_references_lie_by_instrument_or_all_together(two, select):
    folder = two.folder / "references/jwst"
    assert select("dark", **NRCA1).path == folder / "nircam/old.fits"
    (folder / "nircam").mkdir(parents=True)
    (folder / "old.fits").touch()
    assert select("dark", **NRCA1).path == folder / "old.fits"
    (folder / "nircam/old.fits").touch()
    assert select("dark", **NRCA1).path == folder / "nircam/old.fits"


def test_a_cache_says_how_its_references_lie(two, select):
    (two.config / "ref_cache_subdir_mode").write_text("flat\n")
    assert select("dark", **NRCA1).path == two.folder / "references/jwst/old.fits"


def test_many_files_in_one_folder_say_so_too(two, select):
    folder = two.folder / "references/jwst"
    folder.mkdir(parents=True)
    for number in range(21):
        (folder / f"{number}.fits").touch()
    assert select("dark", **NRCA1).path == folder / "old.fits"


# ------------------------------------------------------------------ what is kept


@pytest.fixture
def reads(monkeypatch):
    """Names of the mappings whose text is read."""
    names = []
    read = mappings.read

    def noted(path, parent):
        names.append(path.name)
        return read(path, parent)

    monkeypatch.setattr(mappings, "read", noted)
    return names


def anew():
    """Forget what this process knows, as a new one would not know it."""
    contexts._opened.cache_clear()
    contexts.resolved.cache_clear()


def test_a_mapping_is_read_once(two, select, reads):
    first = select("dark", **NRCA1)
    assert sorted(reads) == [
        "jwst_0001.pmap",
        "jwst_nircam_0001.imap",
        "jwst_nircam_dark_0001.rmap",
    ]
    assert select("dark", **NRCA1) == first
    assert len(reads) == 3
    anew()
    assert select("dark", **NRCA1) == first
    assert reads[3:] == ["jwst_0001.pmap"]


def test_versions_are_kept_as_well(cache, select, reads):
    parkey = (("META.CALIBRATION_SOFTWARE_VERSION",),)
    cache.rules("dark", (), "VersionAfter({'0.9.0': 'a', '0.10.0': 'b'})", parkey=parkey)
    cache.context()
    for _ in range(2):
        assert select("dark", CAL_VER="0.10.1").path.name == "b"
        anew()


def test_a_mapping_that_has_changed_is_read_anew(two, select, reads):
    select("dark", **NRCA1)
    anew()
    two.rules("dark", NAMES, rules("changed.fits"))
    assert select("dark", **NRCA1).path.name == "changed.fits"


def test_a_context_that_was_written_anew_is_opened_anew(two, select):
    select("dark", **NRCA1)
    os.utime(two.mappings / "jwst_0001.pmap", ns=(1, 1))
    two.rules("dark", NAMES, rules("changed.fits"))
    assert select("dark", **NRCA1).path.name == "changed.fits"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"form": 0}', '{"form": 1}'])
def test_what_was_kept_badly_does_no_harm(two, select, text):
    select("dark", **NRCA1)
    (kept,) = (two.folder.parent / "user/heliodor/crds").rglob("*.json")
    kept.write_text(text)
    anew()
    assert select("dark", **NRCA1).path.name == "old.fits"
    assert json.loads(kept.read_text())["mappings"].keys() == {
        "jwst_nircam_0001.imap", "jwst_nircam_dark_0001.rmap",
    }  # fmt: skip


def test_where_nothing_can_be_kept_it_works_all_the_same(two, select, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert select("dark", **NRCA1).path.name == "old.fits"


# ------------------------------------------------------------------ settings


def test_a_cache_of_one_observatory(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("CRDS_")]:
        monkeypatch.delenv(name)
    assert settings.read() is None
    monkeypatch.setenv("CRDS_PATH", "/all")
    assert str(settings.read().mappings) == "/all/mappings/jwst"
    monkeypatch.setenv("CRDS_PATH_SINGLE", "/one")
    assert str(settings.read().references) == "/one/references"
    monkeypatch.setenv("CRDS_MAPPATH", "/maps")
    assert str(settings.read().mappings) == "/maps/jwst"
    monkeypatch.setenv("CRDS_MAPPATH_SINGLE", "/map")
    assert str(settings.read().mappings) == "/map"
    assert str(settings.read().config) == "/one/config"


def test_modes(monkeypatch):
    monkeypatch.setenv("CRDS_PATH", "/all")
    for mode in ("local", "remote", "auto"):
        monkeypatch.setenv("CRDS_MODE", mode)
        assert settings.read()
    monkeypatch.setenv("CRDS_MODE", "near")
    with pytest.raises(UsageError, match="CRDS_MODE=near is not allowed: one of auto"):
        settings.read()
    monkeypatch.setenv("CRDS_MODE", "s3")
    with pytest.raises(NotYetError, match="s3"):
        settings.read()
