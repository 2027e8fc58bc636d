"""From an empty cache to a product: what a plan says, what a run fetches, and then no network."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor import run
from heliodor.cli.main import main
from heliodor.errors import ReferenceError
from heliodor.plugins import registry
from heliodor_crds import contexts
from heliodor_simulate import simulate

NAMES = ("META.INSTRUMENT.DETECTOR",)


@pytest.fixture(scope="module")
def exposure(tmp_path_factory):
    """An exposure with its references, by type."""
    folder = tmp_path_factory.mktemp("exposure")
    mode = registry().modes["nircam-imaging"]
    return simulate(mode, folder, references=folder / "references", size=64, ngroups=4)


@pytest.fixture(scope="module")
def expected(exposure):
    """The slopes; kernels are compiled on the way, before tests have a cache of their own."""
    result = run(exposure.exposure, folders=exposure.exposure.parent / "references")
    return result.products["rate"].planes["data"]


@pytest.fixture
def far(expected, exposure, cache, fake, monkeypatch):
    """A server that has all of it; nothing is here."""
    monkeypatch.setenv("CRDS_SERVER_URL", fake.url)
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    for kind, path in exposure.references.items():
        name = f"jwst_nircam_{kind}_0001.fits"
        rows = f"Match({{'NRCA1': UseAfter({{'2015-01-01 00:00:00': {name!r}}})}})"
        cache.rules(kind, NAMES, rows)
        fake.add(name, Path(path).read_bytes())
    cache.context()
    for path in cache.mappings.iterdir():
        fake.add(path.name, path.read_bytes())
    shutil.rmtree(cache.folder)
    return fake


@pytest.fixture
def cut(monkeypatch):
    """No network from now on."""

    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    def cut():
        for name in ("socket", "create_connection", "getaddrinfo"):
            monkeypatch.setattr(socket, name, refuse)

    return cut


@pytest.fixture
def call(exposure, tmp_path, capsys):
    """Call the command line for the exposure; gives the exit code, and what was printed."""

    def call(command, *options):
        out = ("--out", str(tmp_path)) if command == "run" else ()
        code = main([command, str(exposure.exposure), *out, *options])
        said = capsys.readouterr()
        return code, " ".join((said.out + said.err).split())

    return call


def here(cache) -> list[str]:
    return sorted(path.name for path in (cache.folder / "references").rglob("*.fits"))


def test_from_nothing_to_a_product(expected, far, cache, call, cut, tmp_path):
    code, said = call("plan")
    assert (code, far.asked) == (4, [])
    assert "`plan --online` ask the server" in said

    code, said = call("plan", "--online", "--json")
    (planned,) = json.loads(said)
    assert code == 0
    assert here(cache) == []
    sizes = {Path(path).name: size for path, size in planned["fetch"].items()}
    assert sizes == {name: len(far.contents[name]) for name in sizes}

    far.asked.clear()
    assert call("run")[0] == 0
    assert here(cache) == sorted(sizes)
    assert sorted(name for name in far.asked if name.endswith(".fits")) == sorted(sizes)

    cut()
    (product,) = tmp_path.glob("*_rate.fits")
    np.testing.assert_array_equal(fits.getdata(product), expected)
    product.unlink()
    assert call("plan")[0] == 0
    assert call("run")[0] == 0
    assert product.exists()


def test_a_file_that_cannot_be_had_ends_the_run_before_it_begins(exposure, far, call, tmp_path):
    far.spoil("jwst_nircam_gain_0001.fits", "half", times=3)
    code, said = call("run")
    assert code == 4
    assert "jwst_nircam_gain_0001.fits, gain for" in said
    assert exposure.exposure.name in said
    assert "ended after" in said
    assert not list(tmp_path.glob("*.fits"))
    assert call("run")[0] == 0


def test_local_mode_needs_no_network_and_says_what_is_not_there(
    exposure, far, cache, call, cut, monkeypatch
):
    assert call("run")[0] == 0
    monkeypatch.delenv("CRDS_SERVER_URL")
    contexts._opened.cache_clear()
    cut()
    assert call("run")[0] == 0
    (gain,) = cache.folder.rglob("*gain*.fits")
    gain.unlink()
    code, said = call("plan")
    assert code == 4
    assert "missing gain reference" in said
    assert "CRDS_SERVER_URL names no server" in said
    with pytest.raises(ReferenceError, match=r"gain_0001.fits, gain for .*names no server"):
        run(exposure.exposure)
