"""Parameters of whole pipelines: files of jwst, saved parameters, and what must not leak."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import heliodor
import numpy as np
import pytest
import yaml
from heliodor import receipt
from heliodor.bits import PIXEL
from heliodor.engine import load
from heliodor.errors import UsageError
from heliodor.layers import Layered
from heliodor.parameterfiles import read
from heliodor.plugins import registry
from heliodor.references import asdffile

HEAD = "#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- \n"
DATA = os.environ.get("HELIODOR_DATA")
PYTHON = os.environ.get("HELIODOR_JWST_PYTHON")


@pytest.fixture
def pars(tmp_path):
    """Write a parameter file; ``meta`` makes a reference of it."""

    def pars(name, class_name, steps=None, meta=None, **parameters):
        tree = {"class": class_name, "name": "x", "parameters": parameters}
        if steps:
            tree["steps"] = [{"class": "", "name": k, "parameters": v} for k, v in steps.items()]
        if meta:
            tree["meta"] = {"telescope": "JWST", "useafter": "2022-01-01T00:00:00", **meta}
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{HEAD}{yaml.safe_dump(tree)}...\n")
        return path

    return pars


@pytest.fixture
def plan(small_nircam):
    def plan(*folders, **options):
        return heliodor.plan(
            small_nircam.exposure, folders=(small_nircam.references, *folders), **options
        )

    return plan


@pytest.fixture
def archive(pars):
    """A folder with parameter references, as the archive gives them to operations."""
    nircam = {"name": "NIRCAM"}
    jump = {"reftype": "pars-jumpstep", "instrument": nircam}
    pars(
        "archive/jump.asdf", "jwst.jump.jump_step.JumpStep", meta=jump,
        rejection_threshold=5.0, expand_large_events=True,
    )  # fmt: skip
    return pars(
        "archive/detector1.asdf",
        "jwst.pipeline.Detector1Pipeline",
        {"ipc": {"skip": True}, "jump": {"rejection_threshold": 6.0}, "emicorr": {"skip": False}},
        {"reftype": "pars-detector1pipeline", "instrument": nircam},
        save_calibrated_ramp=True,
    ).parent


def step(plan, label):
    return next(each for each in plan.steps if each.label == label)


def parameters(plan):
    """All that decides what is done: parameters, what runs, what is written."""
    return (
        {each.label: each.params.model_dump() for each in plan.steps},
        [(each.label, each.port, each.runs) for each in plan.steps],
        [save.suffix for save in plan.saves],
    )


# ------------------------------------------------------------------ references


def test_parameter_references_are_found_and_the_pipelines_counts_more(plan, archive):
    planned = plan(archive)
    jump = step(planned, "jump")
    assert (jump.params.rejection_threshold, jump.params.expand_large_events) == (6.0, True)
    assert str(jump.origins["rejection_threshold"]) == "parameter reference, detector1.asdf"
    assert str(jump.origins["expand_large_events"]) == "parameter reference, jump.asdf"
    assert not step(planned, "ipc").runs
    assert "ramp" in {save.suffix for save in planned.saves}
    assert [file.path.name for file in planned.parameter_files] == ["jump.asdf", "detector1.asdf"]
    assert planned.parameter_files[1].left_out == ("emicorr (not in this pipeline)",)


def test_they_can_be_left_out_together_or_one_by_one(plan, archive):
    assert parameters(plan(archive, parameter_references=False)) == parameters(plan())
    one = plan(archive, references={"pars-detector1pipeline": "N/A"})
    assert step(one, "jump").params.rejection_threshold == 5.0
    assert step(one, "ipc").runs
    named = plan(parameter_references=False, references={"pars-jumpstep": archive / "jump.asdf"})
    assert step(named, "jump").params.rejection_threshold == 5.0
    with pytest.raises(UsageError, match="Did you mean 'pars-jumpstep'"):
        plan(references={"pars-jumpsetp": archive / "jump.asdf"})


def test_who_counts_more(plan, archive, pars, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "extends: calwebb_detector1\nedits:\n"
        "  - set: {jump.rejection_threshold: 7, ipc.skip: false}\n"
        "  - set: {option.save_calibrated_ramp: false}\n"
    )
    file = pars("mine.asdf", "jwst.jump.JumpStep", rejection_threshold=8)
    layered = [
        plan(archive),
        plan(archive, pipeline=mine),
        plan(archive, pipeline=mine, parameter_files=file),
        plan(archive, pipeline=mine, parameter_files=file,
             parameters={"jump.rejection_threshold": 9}),
    ]  # fmt: skip
    assert [step(p, "jump").params.rejection_threshold for p in layered] == [6, 7, 8, 9]
    assert [step(p, "ipc").runs for p in layered] == [False, True, True, True]
    assert ["ramp" in {s.suffix for s in p.saves} for p in layered] == [True, False, False, False]


@pytest.mark.parametrize(
    ("meta", "fits"),
    [
        ({"instrument": {"name": "NIRCAM", "detector": "NRCA1"}}, True),
        ({"instrument": {"name": "NIRCAM", "detector": "NRCA2"}}, False),
        ({"instrument": {"name": "NIRISS"}}, False),
        ({"instrument": {"name": "NIRCAM"}, "subarray": {"name": "FULL"}}, False),
        ({"instrument": {"name": "NIRCAM"}, "subarray": {"name": "GENERIC"}}, True),
        ({"instrument": {"name": "NIRCAM"}, "visit": {"tsovisit": True}}, False),
        ({"instrument": {"name": "NIRCAM"}, "exposure": {"type": "NRC_IMAGE"}}, True),
        ({"instrument": {"name": "NIRCAM"}, "exposure": {"type": "NRC_TSIMAGE"}}, False),
        ({"instrument": {"name": "NIRCAM"}, "useafter": "2090-01-01T00:00:00"}, False),
    ],
)
def test_which_exposures_a_reference_is_for(plan, pars, meta, fits):
    meta = {"reftype": "pars-jumpstep", **meta}
    folder = pars("refs/jump.asdf", "a.JumpStep", meta=meta, rejection_threshold=5.0).parent
    assert step(plan(folder), "jump").params.rejection_threshold == (5.0 if fits else 4.0)


def test_the_more_special_reference_is_taken(plan, pars):
    for name, detector in (("general", {}), ("special", {"detector": "NRCA1"})):
        meta = {"reftype": "pars-jumpstep", "instrument": {"name": "NIRCAM", **detector}}
        cut = 7.0 if detector else 5.0
        path = pars(f"refs/{name}.asdf", "a.JumpStep", meta=meta, rejection_threshold=cut)
    assert step(plan(path.parent), "jump").params.rejection_threshold == 7.0


def test_a_step_by_itself_has_them_too(small_nircam, pars):
    meta = {"reftype": "pars-jumpstep", "instrument": {"name": "NIRCAM"}}
    names = ("rejection_threshold", "three_group_rejection_threshold")
    file = pars("refs/jump.asdf", "a.JumpStep", meta=meta, **dict.fromkeys(names, 1e9), skip=True)
    named = {name: small_nircam.files[name] for name in ("gain", "readnoise")}
    for path in named.values():
        shutil.copy(path, file.parent)

    def jumps(**options):
        options = {"references": file.parent, **options}
        model = heliodor.run_step("jump", small_nircam.exposure, **options)
        return int(np.count_nonzero(model.groupdq & PIXEL["JUMP_DET"]))

    many = jumps(references=named)
    assert many > 0
    assert jumps() == 0
    assert jumps(references={**named, "pars-jumpstep": file}) == 0
    assert jumps(parameter_references=False) == many
    assert jumps(rejection_threshold=4) == many
    with pytest.raises(UsageError, match="Did you mean 'pars-jumpstep'"):
        jumps(references={**named, "pars-jumpsetp": file})


# ------------------------------------------------------------------ files of the user


def test_a_file_that_names_a_reference_file(plan, pars, small_nircam, tmp_path):
    gain = tmp_path / "mygain.fits"
    shutil.copy(small_nircam.files["gain"], gain)
    file = pars("mine.asdf", "jwst.jump.JumpStep", override_gain=str(gain))
    assert step(plan(parameter_files=file), "jump").files["gain"] == gain


def test_mistakes_name_the_file(plan, pars):
    with pytest.raises(UsageError) as error:
        plan(parameter_files=pars("a.asdf", "a.JumpStep", rejection_treshold=5))
    assert "jump.rejection_treshold (user file, a.asdf)" in str(error.value)
    assert "Did you mean 'rejection_threshold'?" in str(error.value)
    with pytest.raises(UsageError, match=r"a\.asdf: There is no option of calwebb_detector1"):
        plan(parameter_files=pars("a.asdf", "a.Detector1Pipeline", save_calibrated_rmap=True))


def test_the_command_line(cli, small_nircam, archive, pars, tmp_path):
    def call(*more):
        where = ("--references", small_nircam.references, "--references", archive)
        return cli("plan", small_nircam.exposure, *where, *more)

    (data,) = json.loads(call("--json").out)
    assert [Path(each["file"]).name for each in data["parameter_files"]] == [
        "jump.asdf",
        "detector1.asdf",
    ]
    text = " ".join(call().out.split())
    assert "rejection_threshold=6.0 (parameter reference, detector1.asdf)" in text
    assert "left out: emicorr (not in this pipeline)" in text
    assert "parameter reference" not in call("--no-pars").out
    file = pars("mine.asdf", "jwst.jump.JumpStep", rejection_threshold=8, minimum_groups=3)
    text = " ".join(call("--pars", file).out.split())
    assert "rejection_threshold=8.0 (user file, mine.asdf)" in text
    assert "minimum_groups" not in text  # it is the default
    two = (small_nircam.exposure, small_nircam.exposure)
    done = cli("plan", *two, "--save-parameters", tmp_path / "p.yaml")
    assert done.code == 2
    assert "give one" in done.err


def test_the_receipt_names_them(archive, small_nircam, tmp_path):
    done = heliodor.run(
        small_nircam.exposure,
        folders=(small_nircam.references, archive),
        out=tmp_path,
        save=True,
    )
    said = receipt.read(done.paths["rate"])
    assert set(said["options"]["parameter_files"]) == {"jump.asdf", "detector1.asdf"}
    jump = next(each for each in said["steps"] if each["name"] == "jump")
    origins = {each["name"]: each["origin"] for each in jump["parameters"]}
    assert origins["rejection_threshold"] == "parameter reference, detector1.asdf"
    assert origins["minimum_groups"] == "declared default"


# ------------------------------------------------------------------ saved and read again

ASKED = {
    "jump.rejection_threshold": 1e-5,
    "jump.minimum_groups": 3,
    "clean_flicker_noise.background_box_size": "8,16",
    "jump.maximum_cores": "none",
    "refpix.refpix_algorithm": "SIRS",
    "save_calibrated_ramp": True,
}


@pytest.mark.parametrize("suffix", [".yaml", ".asdf"])
def test_saved_parameters_give_the_same_plan(plan, archive, tmp_path, suffix):
    from heliodor.savedparameters import save

    edits = tmp_path / "mine.yaml"
    edits.write_text(
        "extends: calwebb_detector1\nedits:\n  - {move: ipc, after: superbias}\n"
        "  - set: {ramp_fit.save_opt: true}\n    when: {instrument: NIRCAM}\n"
    )
    first = plan(archive, pipeline=edits, parameters=ASKED, skip=["group_scale"])
    saved = tmp_path / f"saved{suffix}"
    save(first, saved)
    if suffix == ".yaml":
        again = plan(archive, pipeline=[edits, saved])
    else:
        again = plan(archive, pipeline=edits, parameter_files=saved)
    assert parameters(again) == parameters(first)
    assert parameters(plan(archive, pipeline=edits)) != parameters(first)
    layers = {origin.layer for each in again.steps for origin in each.origins.values()}
    assert "command line" not in layers


def test_saved_edits_say_who_gave_what(plan, archive, tmp_path, cli, small_nircam):
    saved = tmp_path / "saved.yaml"
    done = cli(
        "plan", small_nircam.exposure, "--references", small_nircam.references,
        "--references", archive, "-p", "jump.rejection_threshold=5", "--save-parameters", saved,
    )  # fmt: skip
    assert done.code == 0, done.err
    lines = {line.strip() for line in saved.read_text().splitlines()}
    assert "rejection_threshold: 5.0  # command line, -p" in lines
    assert "expand_large_events: true  # parameter reference, jump.asdf" in lines
    assert "four_group_rejection_threshold: 5.0" in lines
    assert "option.save_calibrated_ramp: true" in lines


def test_a_form_that_is_not_known(plan, tmp_path, cli, small_nircam):
    done = cli("plan", small_nircam.exposure, "--save-parameters", tmp_path / "p.yml2")
    assert done.code == 2
    assert "Did you mean '.yml'?" in done.err
    done = cli("plan", small_nircam.exposure, "--save-parameters", tmp_path / "no" / "p.yml")
    assert done.code == 7


@pytest.mark.parity
@pytest.mark.skipif(not PYTHON, reason="$HELIODOR_JWST_PYTHON names no Python with jwst")
def test_jwst_reads_what_we_write_and_the_reverse(plan, tmp_path):
    from heliodor.savedparameters import save

    ours, theirs = tmp_path / "ours.asdf", tmp_path / "theirs.asdf"
    save(plan(parameters={**ASKED, "jump.maximum_cores": "1"}), ours)
    code = (
        "import sys; from jwst.pipeline import Detector1Pipeline as P\n"
        "p = P.from_config_file(sys.argv[1])\n"
        "print(p.save_calibrated_ramp, p.jump.rejection_threshold, p.refpix.refpix_algorithm,\n"
        "      p.clean_flicker_noise.background_box_size, p.clean_flicker_noise.skip)\n"
        "p.export_config(sys.argv[2])\n"
    )
    done = subprocess.run(
        [PYTHON, "-c", code, ours, theirs], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "True 1e-05 sirs [8, 16] True"
    again = plan(parameter_files=theirs)
    first = plan(parameters={**ASKED, "jump.maximum_cores": "1"})
    assert parameters(again) == parameters(first)


# ------------------------------------------------------------------ files of the archive

REAL = sorted(Path(DATA).rglob("*pars-*.asdf")) if DATA else []


@pytest.mark.skipif(not REAL, reason="$HELIODOR_DATA holds no parameter references")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_parameter_references(path):
    """Each that is of an installed step or pipeline is understood to its last parameter."""
    keywords = asdffile.keywords(path)
    installed = registry().steps
    try:
        file = read(path, "parameter reference", _pipelines(), installed, installed)
    except UsageError as error:
        if "no step here" in str(error) or "goes through" in str(error):
            pytest.skip(f"its step is not there yet: {error}")
        raise
    layers = Layered()
    layers.add_file(file)
    for name in {value.step for value in file.values if value.step}:
        refused = []
        for offer in installed[name]:
            if offer.spec.applies.accepts({"INSTRUME": keywords.get("INSTRUME", "")}):
                try:
                    layers.resolve(name, load(offer.spec.params))
                    break
                except UsageError as error:
                    refused.append(str(error))
        else:
            pytest.fail("\n".join(refused) or f"nobody offers {name}")


def _pipelines():
    return {Path(resource.path).stem for resource, _ in registry().pipelines}


@pytest.mark.parametrize("name", sorted(registry().steps))
def test_every_parameter_is_understood_as_text(name, pars):
    """Older files write numbers, lists and None as text."""
    for offer in registry().steps[name]:
        model = load(offer.spec.params)
        defaults = model().model_dump()
        text = {key: str(value) for key, value in defaults.items()}
        class_name = f"jwst.{name.title().replace('_', '')}Step"
        path = pars("all.asdf", class_name, **text)
        file = read(path, "user file", (), {name}, {name})
        layers = Layered()
        layers.add_file(file)
        params, origins = layers.resolve(name, model)
        assert params.model_dump() == defaults
        assert {origin.layer for origin in origins.values()} == {"user file"}


# ------------------------------------------------------------------ nothing leaks


def test_parameters_of_one_plan_are_not_those_of_the_next(plan, archive, pars, tmp_path):
    """An edit of a pipeline or of parameters never changes them for anyone else in the process."""
    before = parameters(plan())
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "extends: calwebb_detector1\nedits:\n"
        "  - set: {clean_flicker_noise.background_box_size: [8, 8], jump.rejection_threshold: 9}\n"
        "  - {remove: gain_scale}\n  - set: {option.save_calibrated_ramp: true}\n"
    )
    given = {"jump.rejection_threshold": 7, "clean_flicker_noise.background_box_size": [4, 4]}
    changed = plan(
        archive, pipeline=mine, parameters=given, skip=["ipc"],
        parameter_files=pars("mine.asdf", "a.RampFitStep", algorithm="LIKELY"),
    )  # fmt: skip
    assert parameters(changed) != before
    assert parameters(plan()) == before
    # nor does a change of what a plan holds, or of what it was given
    step(changed, "clean_flicker_noise").params.background_box_size.append(5)
    assert given["clean_flicker_noise.background_box_size"] == [4, 4]
    edited = plan(pipeline=mine)
    step(edited, "clean_flicker_noise").params.background_box_size.append(5)
    assert step(plan(pipeline=mine), "clean_flicker_noise").params.background_box_size == [8, 8]
    given["jump.rejection_threshold"] = 1
    assert step(changed, "jump").params.rejection_threshold == 7
    assert parameters(plan()) == before


def test_declared_defaults_cannot_be_changed_through_a_plan():
    for offers in registry().steps.values():
        for offer in offers:
            model = load(offer.spec.params)
            for value in model().model_dump().values():
                assert not isinstance(value, dict | set), f"{model}: {value}"
            first, second = model(), model()
            shared = [
                name
                for name in model.model_fields
                if isinstance(getattr(first, name), list)
                and getattr(first, name) is getattr(second, name)
            ]
            assert not shared, f"{model}: {shared}"


def test_runs_beside_each_other_keep_their_parameters(small_niriss):
    """Two runs in threads of one process give what each gives alone."""

    def run(threshold):
        done = heliodor.run(
            small_niriss.exposure,
            folders=small_niriss.references,
            parameters={"jump.rejection_threshold": threshold},
            threads=1,
        )
        return done["rate"].dq.copy()

    alone = [run(threshold) for threshold in (4.0, 1.0)]
    assert not np.array_equal(*alone)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(run, (4.0, 1.0)))
    for expected, found in zip(alone, together, strict=True):
        np.testing.assert_array_equal(found, expected)
