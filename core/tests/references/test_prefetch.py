"""Files that are not there yet are fetched together, before anything begins."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from astropy.io import fits
from heliodor import plugins
from heliodor.api import plan, run, run_all, run_step
from heliodor.cli import show, tables
from heliodor.cli.main import main
from heliodor.declare import Phase, RefNeed, SelectorSpec, StepSpec
from heliodor.errors import NotFetched, PluginError, ReferenceError
from heliodor.observers import Observer
from heliodor.params import Params
from heliodor.references.selectors import Found, Unknown
from heliodor.step import Step

PIPELINE = """
name: made_up_detector1
for: {stage: 1, instrument: X}
in: uncal
steps:
  - subtract
  - save: ramp
"""
PARS = """\
#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
--- !core/asdf-1.1.0
class: jwst.subtract.SubtractStep
name: subtract
parameters: {skip: true}
...
"""


class Subtract(Step[Params]):
    """Subtracts a template."""

    def prepare(self, ramp, refs):
        self.template = refs["template"].plane()

    def subtract(self, ramp, piece):
        ramp.data[piece.integration] -= self.template


class Archive:
    """Has a template and perhaps parameters, somewhere else."""

    folder = None
    parameters = False
    missing = False
    size = None
    fetch = f"{__name__}:bring"

    def __init__(self, sources):
        self.online = sources.online

    def select(self, wanted, keywords):
        answers = {}
        for need in wanted:
            name = f"{need.type}.{'asdf' if need.type.startswith('pars-') else 'fits'}"
            known = self.parameters if need.type.startswith("pars-") else not self.missing
            answers[need.type] = (
                Found(self.folder / name, "archive", fetch=self.fetch, size=self.size)
                if known
                else Unknown("nobody has it")
            )
        return answers


calls: list[list[str]] = []


def bring(files, observer):
    """Make the files."""
    calls.append([found.path.name for found in files])
    for number, found in enumerate(files):
        observer.fetching(found.path.name, number, len(files))
        if found.path.suffix == ".asdf":
            found.path.write_text(PARS)
        else:
            image = fits.ImageHDU(np.full((4, 8), 3, np.float32), name="SCI")
            fits.HDUList([fits.PrimaryHDU(), image]).writeto(found.path)


def refuse(files, observer):
    """Fail with reasons."""
    raise NotFetched({found.path: "https://x.org: 404" for found in files})


def no_server(files, observer):
    """Fail with one reason for all."""
    raise ReferenceError("there is no server")


def forget(files, observer):
    """Do nothing."""


def stumble(files, observer):
    """Fail as nobody should."""
    raise KeyError("x")


SPEC = StepSpec(
    "subtract",
    f"{__name__}:Subtract",
    f"{__name__}:Params",
    "Test.",
    "S_SUBTRA",
    phases=(Phase("subtract", "frames", writes=("data",)),),
    refs=(RefNeed("template", keys=()),),
)
HOOKS = {"heliodor_selectors": [SelectorSpec("archive", 200, f"{__name__}:Archive")]}


class Told(Observer):
    def __init__(self):
        self.calls = []

    def fetching(self, name, done, total):
        self.calls.append((name, done, total))

    def reading(self, plan):
        self.calls.append("reading")


@pytest.fixture
def calibrate(made_up, tmp_path, monkeypatch):
    """Run the made-up pipeline; its template is in the archive, 3 everywhere."""
    calls.clear()
    monkeypatch.setattr(Archive, "folder", tmp_path / "cache")
    Archive.folder.mkdir()
    yield made_up([SPEC], hooks=HOOKS, made_up_detector1=PIPELINE)
    plugins.registry.cache_clear()


@pytest.fixture
def exposures(make_uncal):
    return [make_uncal(f"jw_{n}_uncal.fits", keywords={"INSTRUME": "X"}) for n in "abc"]


def printed(function, *arguments):
    text = io.StringIO()
    tables.console.cache_clear()
    with contextlib.redirect_stdout(text):
        function(*arguments)
    tables.console.cache_clear()
    return " ".join(text.getvalue().split())


def test_a_plan_fetches_nothing_and_says_what_a_run_fetches(calibrate, monkeypatch):
    planned = calibrate(do=plan)
    path = Archive.folder / "template.fits"
    assert calls == []
    assert [(name, found.path) for name, found in planned.absent] == [("template", path)]
    assert planned.to_dict()["fetch"] == {str(path): None}
    assert not planned.missing
    assert "fetches 1 reference files first, size not known" in printed(show.plan, planned)
    monkeypatch.setattr(Archive, "size", 2_500_000)
    assert "fetches 1 reference files first, 2.5 MB" in printed(show.plan, calibrate(do=plan))
    calibrate()
    assert calibrate(do=plan).absent == ()
    assert "fetches" not in printed(show.plan, calibrate(do=plan))


def test_a_run_fetches_before_it_reads(calibrate):
    told = Told()
    result = calibrate(observer=told)
    assert told.calls == [("template.fits", 0, 1), "reading"]
    plain = calibrate("[set: {subtract.skip: true}]")
    difference = plain.products["ramp"].data - result.products["ramp"].data
    np.testing.assert_array_equal(difference, np.full_like(difference, 3))
    assert calls == [["template.fits"]]


def test_what_several_exposures_need_is_fetched_once(calibrate, exposures):
    results = calibrate(do=lambda _, **options: run_all(exposures, **options))
    assert len(results) == 3
    assert calls == [["template.fits"]]


def test_the_command_line_fetches_once_for_all(calibrate, exposures, tmp_path):
    calibrate(do=plan)  # writes the edits
    folder = ("--out", tmp_path, "--pipeline", tmp_path / "my.yaml", "--json")
    text = printed(main, [str(word) for word in ("run", *exposures, *folder)])
    assert len(json.loads(text)) == 3
    assert calls == [["template.fits"]]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("refuse", r"template.fits, template for .*a_uncal.fits, .*c_uncal.fits: https://x.org"),
        ("no_server", r"there is no server\ntemplate.fits, template for .*a_uncal.fits, "),
        ("forget", r"template.fits, template for .*it is still not there"),
    ],
)
def test_a_failure_names_all_and_comes_before_any_work(
    calibrate, exposures, tmp_path, monkeypatch, how, message
):
    monkeypatch.setattr(Archive, "fetch", f"{__name__}:{how}")
    told = Told()
    with pytest.raises(ReferenceError, match=rf"nothing was begun.\n{message}"):
        calibrate(do=lambda _, **more: run_all(exposures, observer=told, **more))
    assert told.calls == []
    with pytest.raises(ReferenceError, match=r"template for .*nrca1_uncal.fits"):
        calibrate(do=run)
    folder = ("--out", tmp_path / "out", "--pipeline", tmp_path / "my.yaml")
    assert main([str(word) for word in ("run", *exposures, *folder)]) == 4
    assert not (tmp_path / "out").exists()


def test_of_many_exposures_a_message_names_some(calibrate, make_uncal, monkeypatch):
    monkeypatch.setattr(Archive, "fetch", f"{__name__}:refuse")
    many = [make_uncal(f"jw_{n}_uncal.fits", keywords={"INSTRUME": "X"}) for n in "abcde"]
    with pytest.raises(ReferenceError, match=r"c_uncal.fits and 2 more: https://x.org"):
        calibrate(do=lambda _, **more: run_all(many, **more))


def test_what_is_not_there_and_not_fetched_is_missing(calibrate, tmp_path, monkeypatch):
    monkeypatch.setattr(Archive, "fetch", "")
    planned = calibrate(do=plan)
    assert planned.to_dict()["missing"] == ["template"]
    assert planned.to_dict()["fetch"] == {}
    text = printed(show.plan, planned)
    assert "missing template reference" in text
    assert "fetch" not in text
    command = ["plan", str(planned.exposure.path), "--pipeline", str(tmp_path / "my.yaml")]
    assert main(command) == 4
    with pytest.raises(ReferenceError, match=r"template.fits is not there \(archive\)"):
        calibrate()


def test_a_stranger_s_mistake_is_said_to_be_his(calibrate, monkeypatch):
    monkeypatch.setattr(Archive, "fetch", f"{__name__}:stumble")
    with pytest.raises(PluginError, match=r":stumble of .* failed: KeyError: 'x'"):
        calibrate()


def test_nothing_is_fetched_for_an_exposure_that_cannot_be_run(calibrate, monkeypatch):
    monkeypatch.setattr(Archive, "missing", True)
    with pytest.raises(ReferenceError, match="nobody has it"):
        calibrate()
    assert calls == []


def test_parameters_are_fetched_before_a_run_is_planned(calibrate, monkeypatch):
    monkeypatch.setattr(Archive, "parameters", True)
    with pytest.raises(ReferenceError, match=r"pars-subtractstep.asdf .*not fetched yet.*online"):
        calibrate(do=plan)
    assert calls == []
    assert not calibrate(do=plan, parameter_references=False).parameter_files
    result = calibrate()
    assert calls == [["pars-madeupdetector1pipeline.asdf", "pars-subtractstep.asdf"]]
    assert [outcome.status for _, outcome in result.outcomes] == ["SKIPPED"]
    assert not (Archive.folder / "template.fits").exists()
    assert calibrate(do=plan).steps[0].params.skip


def test_a_plan_made_online_fetches_its_parameters(calibrate, exposures, tmp_path, monkeypatch):
    monkeypatch.setattr(Archive, "parameters", True)
    planned = calibrate(do=plan, online=True)
    assert planned.steps[0].params.skip
    (Archive.folder / "pars-subtractstep.asdf").unlink()
    command = ["plan", str(exposures[0]), "--pipeline", str(tmp_path / "my.yaml")]
    assert main(command) == 4
    assert main([*command, "--online"]) == 0
    assert "pars-subtractstep.asdf" in printed(main, command)
    assert ["template.fits"] not in calls


def test_a_single_step_fetches_what_it_needs(calibrate, exposures, monkeypatch):
    run_step("subtract", exposures[0])
    assert calls == [["template.fits"]]
    (Archive.folder / "template.fits").unlink()
    monkeypatch.setattr(Archive, "fetch", f"{__name__}:refuse")
    with pytest.raises(ReferenceError, match=r"template.fits, template for subtract: https://x"):
        run_step("subtract", exposures[0])


def test_the_bar_shows_file_and_size():
    bar = show.Progress()
    bar.fetching("dark.fits", 1_500_000, 6_000_000)
    (task,) = bar.bars.tasks
    assert (task.description, task.completed) == ("fetching dark.fits, 1.5 of 6.0 MB", 0.25)
