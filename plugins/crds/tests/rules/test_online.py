"""With a server: what is missing of the rules is fetched, but never for a plan that asks nobody."""

from __future__ import annotations

import shutil

import pytest
from heliodor.errors import ReferenceError
from heliodor_crds import contexts, sizes

NAMES = ("META.INSTRUMENT.DETECTOR",)
NRCA1 = {"DETECTOR": "NRCA1"}
ROWS = "Match({'NRCA1': UseAfter({'2022-01-01 00:00:00': 'dark.fits'})})"


@pytest.fixture
def far(cache, fake, monkeypatch):
    """A cache of which nothing is here and all is on a server."""
    monkeypatch.setenv("CRDS_SERVER_URL", fake.url)
    cache.rules("dark", NAMES, ROWS)
    cache.context(1)
    cache.context(2)
    for path in cache.mappings.iterdir():
        fake.add(path.name, path.read_bytes())
    shutil.rmtree(cache.folder)
    return fake


def test_the_mappings_of_a_context_are_fetched(far, select, cache):
    answer = select("dark", online=True, **NRCA1)
    assert (answer.path.name, answer.context) == ("dark.fits", "jwst_0001.pmap")
    asked = len(far.asked)
    assert select("dark", **NRCA1).path == answer.path  # from now on nobody is asked
    assert len(far.asked) == asked


def test_a_mapping_that_was_lost_is_fetched_again(far, select, cache):
    select("dark", online=True, **NRCA1)
    lost = cache.mappings / "jwst_nircam_dark_0001.rmap"
    lost.unlink()
    contexts._opened.cache_clear()
    assert select("dark", online=True, **NRCA1).path.name == "dark.fits"
    assert lost.exists()


@pytest.mark.parametrize("context", ["jwst_0001.pmap", "latest", ""])
def test_a_plan_asks_nobody_and_says_who_would(far, select, context):
    with pytest.raises(ReferenceError, match=r"no such folder.*`plan --online` ask the server"):
        select("dark", context=context, **NRCA1)
    assert far.asked == []


@pytest.mark.parametrize(
    ("context", "name"),
    [("", "jwst_0002.pmap"), ("build", "jwst_0002.pmap"), ("latest", "jwst_0001.pmap")],
)
def test_a_server_says_which_context_is_meant(far, select, context, name):
    assert select("dark", context=context, online=True, **NRCA1).context == name
    asked = len(far.asked)
    assert select("dark", context=context, **NRCA1).context == name  # its last answer counts
    assert len(far.asked) == asked


def test_entries_of_what_the_server_says_of_itself_count(far, select):
    far.info["latest_context"] = "jwst_0002.pmap"
    assert select("dark", context="latest", online=True, **NRCA1).context == "jwst_0002.pmap"


def test_for_a_version_that_the_server_does_not_know_the_latest_counts(far, select):
    far.spoil("get_build_context", "status", 404)
    assert select("dark", context="", online=True, **NRCA1).context == "jwst_0001.pmap"


def test_a_name_that_would_lead_out_of_the_cache_is_refused(far, select):
    far.info["latest_context"] = "../jwst_0001.pmap"
    with pytest.raises(ReferenceError, match=r"'../jwst_0001.pmap' is no context"):
        select("dark", context="latest", online=True, **NRCA1)


def test_a_server_that_does_not_answer_is_an_error(far, select):
    far.spoil("get_build_context", "hang")
    with pytest.raises(ReferenceError, match=r"get_build_context: nothing came for 0.4 s"):
        select("dark", context="", online=True, **NRCA1)
    assert far.asked == ["get_build_context"]  # it is not given its time once more


def test_without_an_answer_the_last_one_is_named(far, select):
    select("dark", context="build", online=True, **NRCA1)
    contexts.resolved.cache_clear()
    far.close()
    with pytest.raises(ReferenceError, match=r"refused.*--context NAME .* was jwst_0002.pmap"):
        select("dark", context="build", online=True, **NRCA1)


def test_sizes_are_told_where_they_are_known(far, select):
    assert select("dark", online=True, **NRCA1).size is None
    sizes.remember({"dark.fits": 12})
    assert select("dark", **NRCA1).size == 12
