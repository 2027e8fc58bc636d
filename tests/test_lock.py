"""Locks and provenance end to end: from the command line, over real steps, into the products."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import numpy as np
import pytest
from astropy.io import fits
from heliodor import receipt
from heliodor.references import lockfile
from stdatamodels.jwst import datamodels


@pytest.fixture
def lock(cli, small_niriss, tmp_path):
    """A lock of the exposure."""
    path = tmp_path / "heliodor.lock"
    done = cli("lock", small_niriss.exposure, "--references", small_niriss.references, "-o", path)
    assert done.code == 0, done.err
    assert "of 1 exposures in" in done.out
    return path


def header(path) -> list[tuple]:
    """All but the date."""
    return [tuple(card) for card in fits.getheader(path).cards if card.keyword != "DATE"]


def sha256(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_command_prints_the_document_as_data(cli, small_niriss, lock, tmp_path):
    again = tmp_path / "again.lock"
    options = ("--references", small_niriss.references, "--json")
    done = cli("lock", small_niriss.exposure, "-o", again, *options)
    assert json.loads(done.out) == lockfile.read(lock).as_data()
    assert again.read_bytes() == lock.read_bytes()


def test_a_locked_run_gives_the_same_numbers(cli, small_niriss, lock, tmp_path, planes):
    moved = shutil.copytree(small_niriss.references, tmp_path / "moved" / "below")
    for name, options in {
        "free": ["--references", small_niriss.references],
        "locked": ["--locked", lock, "--references", moved.parent],
    }.items():
        done = cli("run", small_niriss.exposure, *options, "--out", tmp_path / name, "--quiet")
        assert done.code == 0, done.err
    for free in sorted((tmp_path / "free").iterdir()):
        locked = tmp_path / "locked" / free.name
        for name, array in planes(free).items():
            np.testing.assert_array_equal(planes(locked)[name], array, name)
        assert header(free) == header(locked)


def test_a_newer_file_in_the_folder_changes_nothing(cli, small_niriss, lock, tmp_path):
    refs = shutil.copytree(small_niriss.references, tmp_path / "refs")
    (gain,) = refs.glob("*gain*")
    with fits.open(gain) as hdus:
        hdus[0].header["USEAFTER"] = "2020-01-01T00:00:00"
        hdus.writeto(refs / "better_gain.fits")

    def chosen(*options) -> str:
        done = cli("plan", small_niriss.exposure, *options, "--references", refs, "--json")
        steps = {step["label"]: step for step in json.loads(done.out)[0]["steps"]}
        return steps["jump"]["references"]["gain"]

    assert chosen().endswith("better_gain.fits")
    assert chosen("--locked", lock) == str(gain)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ([], 4, "its files are not all here"),
        (["--references", "REFS", "--ref", "dark=N/A"], 2, "--ref dark=N/A: .* alone says"),
        (["--references", "REFS", "--no-pars"], 2, "--no-pars"),
        (["--references", "REFS", "--not-for-science"], 2, "--not-for-science"),
        (
            ["--references", "REFS", "-p", "clean_flicker_noise.skip=false",
             "-p", "clean_flicker_noise.apply_flat_field=true"],
            4, "says nothing about a flat reference",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(cli, small_niriss, lock, options, code, said, tmp_path):
    options = [small_niriss.references if each == "REFS" else each for each in options]
    out = tmp_path / "out"
    done = cli("run", small_niriss.exposure, "--locked", lock, "--out", out, *options)
    assert done.code == code
    assert not out.exists()
    assert re.search(said, done.err)


def test_one_exposure_that_is_not_locked_does_not_stop_the_others(
    cli, small_niriss, lock, copied, tmp_path
):
    other = copied(small_niriss, "jw01234001001_02101_00002_nis_uncal.fits")
    done = cli(
        "run", small_niriss.exposure, other, "--locked", lock,
        "--references", small_niriss.references, "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.code == 4
    good, bad = json.loads(done.out)
    assert set(good["products"]) == {"rate", "rateints"}
    assert "is not in" in bad["error"]


def test_sync_from_the_command_line(cli, small_niriss, lock, tmp_path):
    done = cli("sync", lock, "--references", small_niriss.references)
    assert (done.code, "files are here" in done.out) == (0, True)
    done = cli("sync", lock, "--json")
    assert done.code == 4
    assert {each["standing"] for each in json.loads(done.out)} == {"missing"}
    refs = shutil.copytree(small_niriss.references, tmp_path / "refs")
    (mask,) = refs.glob("*mask*")
    mask.write_bytes(mask.read_bytes()[:-1] + b"!")
    done = cli("sync", lock, "--references", refs)
    assert done.code == 4
    assert "1 of 8 files are missing" in done.out
    assert "its SHA-256 is" in " ".join(done.out.split())


# ------------------------------------------------------------------ provenance


def test_every_reference_has_its_hash_in_the_receipt(cli, small_niriss, lock, tmp_path):
    out = tmp_path / "out"
    done = cli(
        "run", small_niriss.exposure, "--locked", lock,
        "--references", small_niriss.references, "--out", out, "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    (rate,) = out.glob("*_rate.fits")
    read = receipt.read(rate)
    named = {
        (each["name"], each["sha256"]) for step in read["steps"] for each in step["references"]
    }
    locked = lockfile.read(lock)
    assert named == {(file.name, file.sha256) for file in locked.files.values()}
    assert named == {
        (path.name, sha256(path))
        for path in small_niriss.files.values()
        if path.name in locked.files
    }
    assert read["options"]["lock"] == {"name": "heliodor.lock", "sha256": sha256(lock)}


def test_w50_headers_name_references_as_jwst_does(cli, small_niriss, lock, tmp_path):
    text = lock.read_text()
    lock.write_text(text.replace("selector: folder", "selector: crds\n    context: jwst_1.pmap"))
    out = tmp_path / "out"
    done = cli(
        "run", small_niriss.exposure, "--locked", lock,
        "--references", small_niriss.references, "--out", out, "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    for path in out.iterdir():
        with datamodels.open(path, strict_validation=True) as model:
            names = model.meta.ref_file
            assert (names.crds.context_used, names.crds.sw_version) == ("jwst_1.pmap", "14.0.3")
            for kind in ("mask", "gain", "readnoise", "dark", "linearity", "superbias"):
                name = small_niriss.files[kind].name
                assert getattr(names, kind).name == f"crds://{name}", kind
