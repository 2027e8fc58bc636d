"""Locks: made of what exposures use, brought here again, and obeyed to the letter."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor import plugins
from heliodor.api import lock, plan, run, sync
from heliodor.declare import Phase, RefNeed, SelectorSpec, StepSpec
from heliodor.errors import ReferenceError, UsageError
from heliodor.observers import Observer
from heliodor.params import Params
from heliodor.references import lockfile
from heliodor.references.selectors import Found, NotApplicable, Unknown
from heliodor.step import Step

PIPELINE = """
name: made_up_detector1
for: {stage: 1, instrument: X}
in: uncal
steps:
  - subtract
  - save: ramp
"""
PARAMETERS = """\
#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
class: made.up.SubtractStep
name: subtract
parameters: {times: TIMES}
...
"""
CONTEXT = "rules_0007"


class SubtractParams(Params):
    """How often."""

    times: int = 1


class Subtract(Step[SubtractParams]):
    """Subtracts a template."""

    def prepare(self, ramp, refs):
        self.template = refs["template"].plane()

    def subtract(self, ramp, piece):
        ramp.data[piece.integration] -= self.params.times * self.template


STEP = StepSpec(
    "subtract", f"{__name__}:Subtract", f"{__name__}:SubtractParams", "Test.", "S_SUBTRA",
    phases=(Phase("subtract", "frames", writes=("data",)),),
    refs=(
        RefNeed("template", keys=()),
        RefNeed("mask", keys=(), optional=True),
        RefNeed("flat", keys=(), optional=True),
    ),
)  # fmt: skip


class Archive:
    """Knows files by rules, and has them in a cache, or on a server."""

    cache = server = Path()
    pars = caveat = ""
    log: list[str]

    def __init__(self, sources):
        pass

    def select(self, wanted, keywords):
        self.log.append("rules")
        answers = {need.type: Unknown("no rule") for need in wanted}
        answers["template"] = self.found("template_0001.fits")
        answers["mask"] = NotApplicable("not for this mode")
        if self.pars:
            answers["pars-subtractstep"] = self.found(self.pars)
        return {need.type: answers[need.type] for need in wanted}

    def locate(self, names):
        self.log.append("locate")
        return {name: self.found(name) for name in names if "_0" in name}

    def found(self, name):
        fetch = f"{__name__}:bring"
        return Found(self.cache / name, "rule 3", CONTEXT, fetch=fetch, caveat=self.caveat)


def bring(files, observer):
    """Copy files from the server."""
    assert isinstance(observer, Observer)
    for found in files:
        Archive.log.append(found.path.name)
        if not (Archive.server / found.path.name).exists():
            raise ReferenceError(f"the server has no {found.path.name}")
        found.path.write_bytes((Archive.server / found.path.name).read_bytes())


def image(path: Path, value: float) -> Path:
    data = np.full((4, 8), value, np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]).writeto(path)
    return path


@pytest.fixture
def calibrate(made_up, tmp_path, monkeypatch):
    """Run the made-up pipeline; the archive's template is 3 everywhere, and not here yet."""
    for name in ("cache", "server"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(Archive, name, tmp_path / name)
    monkeypatch.setattr(Archive, "log", [], raising=False)
    image(tmp_path / "server" / "template_0001.fits", 3)
    hooks = {"heliodor_selectors": [SelectorSpec("archive", 300, f"{__name__}:Archive")]}
    yield made_up((STEP,), hooks=hooks, made_up_detector1=PIPELINE)
    plugins.registry.cache_clear()


@pytest.fixture
def locked(calibrate, tmp_path):
    """Lock the exposure; gives the path of the lock."""

    def make(**options) -> Path:
        path = tmp_path / "heliodor.lock"
        calibrate(do=lambda exposure, **more: lock([exposure], path, **more), **options)
        Archive.log.clear()
        return path

    return make


def ramp(result) -> np.ndarray:
    return result.products["ramp"].data


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ------------------------------------------------------------------ making one


def test_a_lock_names_what_is_used(calibrate, locked, tmp_path):
    read = lockfile.read(path := locked())
    template = tmp_path / "cache" / "template_0001.fits"
    assert read.files == {
        "template_0001.fits": lockfile.LockedFile(
            "template_0001.fits", sha256(template), template.stat().st_size, "archive", CONTEXT
        )
    }
    types = {"template": "template_0001.fits", "mask": "N/A", "flat": "none"}
    assert read.exposures == {"jw01234001001_02101_00001_nrca1_uncal.fits": types}
    assert read.versions == {"heliodor": version("heliodor"), "heliodor-x": "1.0"}
    assert str(tmp_path) not in read.text()
    assert calibrate(do=lambda exposure, **options: lock([exposure], path, **options)) == read


def test_what_is_not_here_is_fetched_once(calibrate, make_uncal):
    others = [make_uncal(f"jw_{n}_uncal.fits", keywords={"INSTRUME": "X"}) for n in "ab"]
    made = calibrate(do=lambda _, **options: lock(others, **options))
    assert len(made.files) == 1
    assert list(made.exposures) == ["jw_a_uncal.fits", "jw_b_uncal.fits"]
    assert Archive.log.count("template_0001.fits") == 1


def test_a_reference_that_is_missing_is_not_locked(calibrate, tmp_path):
    (tmp_path / "server" / "template_0001.fits").unlink()
    with pytest.raises(ReferenceError, match="the server has no template_0001"):
        calibrate(do=lambda exposure, **options: lock([exposure], **options))


def test_what_is_made_up_is_not_locked(calibrate, monkeypatch):
    monkeypatch.setattr(Archive, "caveat", "NOT FOR SCIENCE: invented")
    with pytest.raises(ReferenceError, match="cannot be locked: NOT FOR SCIENCE: invented"):
        calibrate(do=lambda exposure, **options: lock([exposure], **options))


def test_two_files_of_one_name(calibrate, make_uncal, tmp_path):
    others = [make_uncal(f"jw_{n}_uncal.fits", keywords={"INSTRUME": "X"}) for n in "ab"]
    for folder, value in (("one", 1), ("two", 2), ("same", 1)):
        (tmp_path / folder).mkdir()
        image(tmp_path / folder / "mine.fits", value)

    def both(one, other):
        plans = [
            plan(path, references={"template": tmp_path / folder / "mine.fits"})
            for path, folder in zip(others, (one, other), strict=True)
        ]
        return lock(plans)

    assert [*both("one", "same").files] == ["mine.fits"]
    with pytest.raises(UsageError, match="another file of this name"):
        both("one", "two")


def test_two_exposures_of_one_name(calibrate):
    with pytest.raises(UsageError, match="two have this"):
        calibrate(do=lambda exposure, **options: lock([exposure, exposure], **options))


# ------------------------------------------------------------------ running by one


def test_a_run_by_a_lock_asks_nobody_else(calibrate, locked):
    path = locked()
    before = calibrate()
    Archive.log.clear()
    result = calibrate(locked=path)
    # the cache is asked where a file lies; rules and servers are not asked
    assert set(Archive.log) == {"locate"}
    np.testing.assert_array_equal(ramp(result), ramp(before))
    keywords = result.provenance.keywords()
    assert keywords == before.provenance.keywords()
    assert keywords["R_TEMPLA"] == "crds://template_0001.fits"
    assert keywords["R_MASK"] == "N/A"
    assert "R_FLAT" not in keywords
    receipt = result.provenance.receipt
    assert receipt.options["lock"] == {"name": "heliodor.lock", "sha256": sha256(path)}
    assert before.provenance.receipt.options["lock"] is None
    assert receipt.steps[0].references[0].origin == "lock: heliodor.lock, chosen by archive"


def test_a_lock_on_another_machine(calibrate, locked, tmp_path):
    path = locked()
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    (tmp_path / "cache" / "template_0001.fits").rename(elsewhere / "template_0001.fits")
    with pytest.raises(ReferenceError, match=r"template_0001.fits is not there; .* by archive"):
        calibrate(locked=path)
    result = calibrate(locked=path, folders=tmp_path / "elsewhere")
    assert ramp(result).size
    (elsewhere / "template_0001.fits").rename(path.parent / "template_0001.fits")
    assert calibrate(locked=path, do=plan).steps[0].files["template"].parent == path.parent
    assert "template_0001.fits" not in Archive.log


@pytest.mark.parametrize("change", [b"x", b"\0"])
def test_a_file_with_another_content_is_refused(calibrate, locked, tmp_path, change):
    path, template = locked(), tmp_path / "cache" / "template_0001.fits"
    content = template.read_bytes()
    template.write_bytes(content + change if change == b"x" else content[:-1] + b"\1")
    with pytest.raises(ReferenceError, match=r"template_0001\.fits is another file: .*not"):
        calibrate(locked=path)


def test_of_several_files_of_a_name_the_right_one_is_taken(calibrate, locked, tmp_path):
    path, template = locked(), tmp_path / "cache" / "template_0001.fits"
    (tmp_path / "a").mkdir()
    image(tmp_path / "a" / "template_0001.fits", 8)
    result = calibrate(locked=path, folders=tmp_path / "a", do=plan)
    assert result.steps[0].files["template"] == template


def test_an_exposure_that_is_not_in_the_lock(locked, make_uncal):
    path = locked()
    other = make_uncal("jw_other_uncal.fits", keywords={"INSTRUME": "X"})
    with pytest.raises(ReferenceError, match=r"jw_other_uncal\.fits: is not in .*heliodor\.lock"):
        run(other, locked=path)


def test_a_type_that_is_not_in_the_lock(calibrate, locked):
    path = locked()
    path.write_text(path.read_text().replace("    flat: none\n", ""))
    with pytest.raises(ReferenceError, match="says nothing about a flat reference"):
        calibrate(locked=path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"references": {"template": "mine.fits"}}, "--ref template=mine.fits: .* alone says"),
        ({"references": {"flat": "N/A"}}, "--ref flat=N/A"),
        ({"parameter_files": "mine.asdf"}, "--pars mine.asdf"),
        ({"parameter_references": False}, "--no-pars"),
        ({"not_for_science": True}, "--not-for-science"),
        ({"context": "rules_0008"}, "--context rules_0008"),
    ],
)
def test_nothing_is_added_to_a_lock(calibrate, locked, options, said):
    path = locked()
    with pytest.raises(UsageError, match=said):
        calibrate(locked=path, **options)


def test_versions_are_told_and_not_enforced(calibrate, locked, caplog):
    path = locked()
    path.write_text(path.read_text().replace('heliodor-x: "1.0"', 'heliodor-x: "0.9"'))
    said = "heliodor.lock was made with heliodor-x 0.9, here is heliodor-x 1.0"
    assert calibrate(locked=path, do=plan).remarks == (said,)
    calibrate(locked=path)
    assert said in caplog.text


def test_what_was_overridden_is_locked_as_well(calibrate, locked, tmp_path):
    mine = image(tmp_path / "mine.fits", 5)
    path = locked(references={"template": mine, "mask": mine})
    assert lockfile.read(path).files["mine.fits"].selector == "override"
    keywords = calibrate(locked=path).provenance.keywords()
    assert (keywords["R_TEMPLA"], keywords["R_MASK"]) == ("mine.fits", "mine.fits")
    assert "CRDS_CTX" not in keywords


# ------------------------------------------------------------------ parameters


def pars(path: Path, times: int) -> Path:
    path.write_text(PARAMETERS.replace("TIMES", str(times)))
    return path


def test_parameter_references_are_locked(calibrate, locked, tmp_path, monkeypatch):
    monkeypatch.setattr(Archive, "pars", "pars_0002.asdf")
    pars(tmp_path / "cache" / "pars_0002.asdf", 2)
    path, plain = locked(), calibrate(parameter_references=False)
    # another one has been delivered since
    monkeypatch.setattr(Archive, "pars", "pars_0003.asdf")
    pars(tmp_path / "cache" / "pars_0003.asdf", 3)
    np.testing.assert_array_equal(ramp(calibrate(locked=path)), ramp(plain) - 3)
    np.testing.assert_array_equal(ramp(calibrate()), ramp(plain) - 6)
    pars(tmp_path / "cache" / "pars_0002.asdf", 4)
    with pytest.raises(ReferenceError, match=r"pars_0002\.asdf is another file"):
        calibrate(locked=path)


def test_where_no_parameter_reference_was_locked_none_counts(
    calibrate, locked, tmp_path, monkeypatch
):
    path = locked()
    monkeypatch.setattr(Archive, "pars", "pars_0002.asdf")
    pars(tmp_path / "cache" / "pars_0002.asdf", 2)
    assert calibrate(locked=path, do=plan).parameter_files == ()
    assert len(calibrate(do=plan).parameter_files) == 1


def test_parameter_files_of_ones_own_are_locked(calibrate, locked, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    path = locked(parameter_files=pars(folder / "mine.asdf", 2))
    plain = calibrate()
    assert lockfile.read(path).parameter_files == ("mine.asdf",)
    np.testing.assert_array_equal(ramp(calibrate(locked=path, folders=folder)), ramp(plain) - 3)
    with pytest.raises(ReferenceError, match=r"mine\.asdf: there is no such file here; .* --pars"):
        calibrate(locked=path)


# ------------------------------------------------------------------ bringing its files


def test_sync_fetches_what_is_absent_and_only_that(locked, tmp_path):
    path, template = locked(), tmp_path / "cache" / "template_0001.fits"
    (here,) = sync(path)
    assert (here.standing, here.path, here.problem) == ("here", str(template), "")
    assert "template_0001.fits" not in Archive.log
    template.unlink()
    (fetched,) = sync(path)
    assert (fetched.standing, fetched.path) == ("fetched", str(template))
    assert Archive.log.count("template_0001.fits") == 1


def test_sync_copies_nothing_that_is_in_a_folder(locked, tmp_path):
    path, folder = locked(), tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "cache" / "template_0001.fits").rename(folder / "template_0001.fits")
    (here,) = sync(path, folder)
    assert (here.standing, here.path) == ("here", str(folder / "template_0001.fits"))
    assert not any((tmp_path / "cache").iterdir())


def test_sync_says_what_is_missing_and_why(locked, tmp_path):
    mine = image(tmp_path / "mine.fits", 5)
    path = locked(references={"flat": mine})
    mine.unlink()
    for folder in ("cache", "server"):
        (tmp_path / folder / "template_0001.fits").unlink()
    flat, template = sync(path)
    assert (flat.standing, template.standing) == ("missing", "missing")
    assert flat.problem == "there is no such file here; it was chosen by override"
    assert "the server has no template_0001.fits" in template.problem
    assert str(tmp_path / "cache" / "template_0001.fits") in template.problem


def test_sync_replaces_no_file(locked, tmp_path):
    path, template = locked(), tmp_path / "cache" / "template_0001.fits"
    template.write_bytes(b"something else")
    (state,) = sync(path)
    assert state.standing == "missing"
    assert "is another file: 14 bytes" in state.problem
    assert template.read_bytes() == b"something else"


def test_what_was_fetched_is_verified(locked, tmp_path):
    path = locked()
    (tmp_path / "cache" / "template_0001.fits").unlink()
    (tmp_path / "server" / "template_0001.fits").write_bytes(b"delivered again")
    (state,) = sync(path)
    assert (state.standing, state.path) == ("missing", "")
    assert "is another file: 15 bytes" in state.problem
