"""Exposures that are calibrated with what CRDS has for them: whole runs, by rules made here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor.errors import ReferenceError
from heliodor.kernels import cache_folder
from heliodor.references import lockfile

DAY = ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME")
PARS = """#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
---
class: jwst.jump.jump_step.JumpStep
name: jump
parameters: {rejection_threshold: 7.5}
...
"""


def write(folder: Path, name: str, kind: str, selector: str, **header: object) -> None:
    """Write a mapping with its checksum."""
    header = {"name": name, "mapping": kind, "observatory": "JWST", **header}
    lines = "".join(f"    {key!r} : {value!r},\n" for key, value in header.items())
    text = f"header = {{\n{lines}    'sha1sum' : '@@',\n}}\n\nselector = {selector}\n"
    bare = "".join(line for line in text.splitlines(keepends=True) if "sha1sum" not in line)
    (folder / name).write_text(text.replace("@@", hashlib.sha1(bare.encode()).hexdigest()))


@pytest.fixture(scope="module")
def filled(small_nircam, tmp_path_factory):
    """A cache with the references of an exposure; its second context has no dark for it."""
    folder = tmp_path_factory.mktemp("crds")
    mappings, references = folder / "mappings/jwst", folder / "references/jwst/nircam"
    for place in (mappings, references):
        place.mkdir(parents=True)
    about = {"instrument": "NIRCAM", "derived_from": "nothing"}
    files = {**small_nircam.files, "pars-jumpstep": folder / "pars.asdf"}
    files["pars-jumpstep"].write_text(PARS)
    types = {}
    for type, path in files.items():
        name = f"jwst_nircam_{type}_0001{path.suffix}"
        shutil.copyfile(path, references / name)
        types[type.upper()] = rules = f"jwst_nircam_{type}_0001.rmap"
        parkey = (("META.INSTRUMENT.DETECTOR",), DAY)
        row = f"Match({{'NRCA1': UseAfter({{'2020-01-01 00:00:00': {name!r}}})}})"
        write(mappings, rules, "REFERENCE", row, parkey=parkey, filekind=type.upper(), **about)
    for number, more in ((1, {}), (2, {"DARK": "N/A"}), (3, {"GAIN": "lost.rmap"})):
        above, top = f"jwst_nircam_000{number}.imap", f"jwst_000{number}.pmap"
        table = repr({**types, **more})
        write(mappings, above, "INSTRUMENT", table, parkey=("REFTYPE",), **about)
        write(mappings, top, "PIPELINE", repr({"NIRCAM": above}), parkey=("META.INSTRUMENT.NAME",))
    return folder


@pytest.fixture
def case(filled, small_nircam, monkeypatch, tmp_path):
    """The exposure; the environment names the cache, and no server."""
    for name in [name for name in os.environ if name.startswith("CRDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CRDS_PATH", str(filled))
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache_folder()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return SimpleNamespace(
        exposure=small_nircam.exposure,
        given=small_nircam.references,
        references=filled / "references/jwst/nircam",
    )


def test_a_plan_takes_its_references_from_the_cache(case, cli):
    done = cli("plan", case.exposure)
    assert done.code == 0, done.out
    text = " ".join(done.out.split())
    assert "references by jwst_0001.pmap" in text
    assert "jwst_nircam_pars-jumpstep_0001.asdf" in text
    (plan,) = json.loads(cli("plan", case.exposure, "--json").out)
    assert plan["contexts"] == ["jwst_0001.pmap"]
    found = {name: path for step in plan["steps"] for name, path in step["references"].items()}
    assert found["dark"] == str(case.references / "jwst_nircam_dark_0001.fits")
    (jump,) = (step for step in plan["steps"] if step["name"] == "jump")
    assert jump["parameters"]["rejection_threshold"]["value"] == 7.5


def test_slopes_are_those_of_the_same_files_given_by_hand(case, planes):
    by_rules = heliodor.run(case.exposure)
    by_hand = heliodor.run(
        case.exposure, folders=case.given, parameters={"jump.rejection_threshold": 7.5}
    )
    for name in ("data", "dq", "err"):
        ours, theirs = (getattr(result["rate"], name) for result in (by_rules, by_hand))
        assert ours.tobytes() == theirs.tobytes()


def test_a_type_that_does_not_apply_leaves_its_step_out(case):
    plan = heliodor.plan(case.exposure, context="jwst_0002.pmap")
    (dark,) = (step for step in plan.steps if step.label == "dark_current")
    assert not dark.runs
    assert dark.reason == "no dark reference applies: jwst_0002.pmap has no dark for NIRCAM"
    assert plan.contexts == ("jwst_0002.pmap",)


def test_what_is_given_by_hand_counts_before(case):
    plan = heliodor.plan(case.exposure, folders=case.given, references={"gain": "N/A"})
    assert plan.contexts == ()
    assert [file.path.name for file in plan.parameter_files] == [
        "jwst_nircam_pars-jumpstep_0001.asdf"
    ]
    assert heliodor.plan(case.exposure, parameter_references=False).parameter_files == ()


def test_rules_that_cannot_be_followed_are_an_error(case, cli):
    done = cli("plan", case.exposure, "--context", "jwst_0003.pmap")
    assert done.code == 4
    text = " ".join(done.err.split())
    assert "lost.rmap: this mapping, named by jwst_nircam_0003.imap, is not in the cache" in text
    assert cli("plan", case.exposure, "--context", "soon").code == 2


def test_a_build_has_a_context_of_its_own(case, cli):
    done = cli("plan", case.exposure, "--build", "9.3")
    assert done.code == 4
    assert "jwst_1107.pmap is not in" in " ".join(done.err.split())
    done = cli("plan", case.exposure, "--build", "9.3", "--context", "jwst_0001.pmap", "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)[0]["build"]["not_reproduced"]
    assert "jwst_1107.pmap: references are chosen by jwst_0001.pmap" in said


def test_a_context_needs_a_cache(case, cli, monkeypatch):
    monkeypatch.delenv("CRDS_PATH")
    done = cli("plan", case.exposure, "--context", "jwst_0001.pmap")
    assert done.code == 2
    assert "CRDS_PATH is not set" in done.err


def test_one_step_by_itself_finds_its_reference(case):
    model = heliodor.run_step("superbias", case.exposure)
    assert model.meta.ref_file.superbias.name.endswith("jwst_nircam_superbias_0001.fits")
    with pytest.raises(ReferenceError, match=r"lost\.rmap"):
        heliodor.run_step("jump", case.exposure, context="jwst_0003.pmap")


def test_neither_plan_nor_run_imports_the_client(case, child):
    code = """import sys, heliodor
heliodor.plan(sys.argv[1])
print(*{name.partition(".")[0] for name in sys.modules} & {"crds", "requests", "asdf"})"""
    assert child(code, case.exposure).strip() == ""


def test_without_a_cache_nothing_of_it_is_loaded(small_nircam, child, monkeypatch):
    monkeypatch.delenv("CRDS_PATH", raising=False)
    code = """import sys, heliodor
heliodor.plan(sys.argv[1])
print(*sorted(name for name in sys.modules if name.startswith("heliodor_crds.")))"""
    loaded = child(code, small_nircam.exposure).split()
    assert {"heliodor_crds.contexts", "heliodor_crds.rules"}.isdisjoint(loaded)


def test_w50_a_lock_is_exact_elsewhere_where_there_are_no_rules(
    case, cli, filled, planes, tmp_path, monkeypatch
):
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0002.pmap")
    lock, free, locked = tmp_path / "heliodor.lock", tmp_path / "free", tmp_path / "locked"
    assert cli("run", case.exposure, "--out", free, "--quiet").code == 0
    assert cli("lock", case.exposure, "-o", lock).code == 0
    read = lockfile.read(lock)
    chosen = {(file.selector, file.context) for file in read.files.values() if file.context}
    assert chosen == {("crds", "jwst_0002.pmap")}
    types = read.exposures[case.exposure.name]
    assert (types["dark"], types["gain"]) == ("N/A", "jwst_nircam_gain_0001.fits")
    assert types["pars-jumpstep"] == "jwst_nircam_pars-jumpstep_0001.asdf"

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(filled / "references", elsewhere / "references")
    monkeypatch.setenv("CRDS_PATH", str(elsewhere))
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    done = cli("run", case.exposure, "--locked", lock, "--out", locked, "--quiet")
    assert done.code == 0, done.err
    for path in sorted(free.iterdir()):
        for name, array in planes(path).items():
            np.testing.assert_array_equal(planes(locked / path.name)[name], array, name)
        before, after = fits.getheader(path), fits.getheader(locked / path.name)
        names = [name for name in before if name.startswith(("R_", "CRDS_", "S_"))]
        assert {name: after[name] for name in names} == {name: before[name] for name in names}
        assert (after["CRDS_CTX"], after["CRDS_VER"]) == ("jwst_0002.pmap", "14.0.3")
        assert (after["R_DARK"], after["S_DARK"]) == ("N/A", "SKIPPED")
        assert after["R_GAIN"] == "crds://jwst_nircam_gain_0001.fits"

    (elsewhere / "references/jwst/nircam/jwst_nircam_gain_0001.fits").unlink()
    done = cli("run", case.exposure, "--locked", lock, "--out", tmp_path / "lost")
    assert done.code == 4
    assert "is not there; it was chosen by crds, jwst_0002.pmap" in done.err
    done = cli("sync", lock, "--json")
    states = {file["name"]: file["standing"] for file in json.loads(done.out)}
    assert states.pop("jwst_nircam_gain_0001.fits") == "missing"
    assert set(states.values()) == {"here"}
