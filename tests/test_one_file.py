"""One file is a step: written, placed, run and recorded."""

from __future__ import annotations

import hashlib
import json
import textwrap

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor import memory, plans, receipt
from heliodor.errors import PipelineError, PluginError, StepError, UsageError

STEPS = '''
"""Steps of mine."""

from typing import Annotated

import numpy as np
from heliodor.bits import DO_NOT_USE
from heliodor.declare import Match
from heliodor.params import Params, parameter
from heliodor.step import Step, step


@step(looks="frame", writes="data", when={"instrument": "NIRCAM"})
def destripe(
    data: np.ndarray,
    groupdq: np.ndarray,
    *,
    strength: Annotated[float, parameter(..., "Fraction that is taken away.", ge=0, le=1)] = 1.0,
) -> np.ndarray:
    """Subtract the median of every row.

    Good for stripes.
    """
    rows = np.nanmedian(np.where(groupdq & DO_NOT_USE, np.nan, data), axis=1, keepdims=True)
    return data - np.float32(strength) * np.nan_to_num(rows)


@step(looks="frame", writes="data", when={"instrument": "MIRI"})
def for_miri(data):
    return data * 0


def scaled(data, err, keywords, *, factor: float = 2.0):
    """Multiply slopes and their errors."""
    data *= factor
    err *= factor
    keywords["SCALED"] = factor


def fails(data):
    numbers = [1, 2]
    return numbers[len(data)]


def quits(data):
    raise SystemExit(3)


def detection(data):
    """Be called as another step would be."""


class Level:
    """No step."""


class OfMiri(Step[Params]):
    """Do nothing, for MIRI."""

    applies = Match({"INSTRUME": ("MIRI",)})
'''

EDITS = """
extends: calwebb_detector1
edits:
  - insert: my_steps.py:destripe
    after: jump
    set: {strength: 0.5}
  - insert: my_steps.py:for_miri
    after: jump
  - insert:
      my_steps.py:scaled: {of: rate}
    after: ramp_fit
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_steps.py").write_text(STEPS)
    (folder / "edits.yaml").write_text(EDITS)
    return folder


@pytest.fixture
def edits(folder):
    """Write an edits file that inserts one node after `jump`."""

    def write(node: str, **more: str):
        lines = [f"insert: {node}", "after: jump", *(f"{k}: {v}" for k, v in more.items())]
        text = textwrap.indent("\n".join(lines), "    ").replace("    insert", "  - insert", 1)
        path = folder / "one.yaml"
        path.write_text(f"extends: calwebb_detector1\nedits:\n{text}\n")
        return path

    return write


@pytest.fixture(scope="module")
def done(small_nircam, folder):
    return heliodor.run(
        small_nircam.exposure,
        folders=small_nircam.references,
        pipeline=folder / "edits.yaml",
        out=folder / "products",
        save=True,
    )


def test_it_is_planned_with_its_parameters_and_conditions(small_nircam, folder):
    plan = heliodor.plan(
        small_nircam.exposure,
        folders=small_nircam.references,
        pipeline=folder / "edits.yaml",
        parameters={"scaled.factor": 3},
    )
    steps = {step.label: step for step in plan.steps}
    assert steps["destripe"].params.strength == 0.5
    assert str(steps["destripe"].origins["strength"]) == "user file, edits.yaml:6"
    assert steps["scaled"].params.factor == 3.0
    assert steps["destripe"].runs
    assert not steps["for_miri"].runs
    assert steps["for_miri"].reason == "only when INSTRUME is MIRI; here INSTRUME is NIRCAM"
    assert "destripe.run" in {name for names in plan.passes for name in names}


def test_it_does_what_it_says(done, small_nircam):
    def rate(**more):
        return heliodor.run(small_nircam.exposure, folders=small_nircam.references, **more)["rate"]

    plain = rate()
    with fits.open(done.paths["rate"]) as hdus:
        assert not np.allclose(hdus["SCI"].data, plain.data, atol=1e-3, equal_nan=True)
        assert hdus[0].header["SCALED"] == 2.0
    pipeline = done.plan.request.pipelines
    off = rate(pipeline=pipeline, parameters={"destripe.strength": 0})
    np.testing.assert_array_equal(off.data, plain.data * np.float32(2))
    np.testing.assert_array_equal(off.err, plain.err * np.float32(2))


def test_it_is_recorded_with_its_hash(done, folder):
    header = fits.getheader(done.paths["rate"])
    assert [header[f"S_{name}"] for name in ("DESTRI", "SCALED", "FORMIR", "JUMP")] == [
        "COMPLETE", "COMPLETE", "SKIPPED", "COMPLETE"
    ]  # fmt: skip
    steps = {step["name"]: step for step in receipt.read(done.paths["rate"])["steps"]}
    sha256 = hashlib.sha256((folder / "my_steps.py").read_bytes()).hexdigest()
    assert steps["destripe"]["implementation"] == f"my_steps.py sha256:{sha256}"
    (strength,) = (p for p in steps["destripe"]["parameters"] if p["name"] == "strength")
    assert (strength["value"], strength["origin"]) == (0.5, "user file, edits.yaml:6")


def test_it_may_be_done_aside(small_nircam, edits):
    path = edits("{aside: [my_steps.py:destripe, {save: clean}]}")
    result = heliodor.run(small_nircam.exposure, folders=small_nircam.references, pipeline=path)
    plain = heliodor.run(small_nircam.exposure, folders=small_nircam.references)
    np.testing.assert_array_equal(result["rate"].data, plain["rate"].data)
    assert result["clean"].data.ndim == 4


@pytest.mark.parametrize("more", [{"threads": 1}, {"threads": 3}, {"max_memory": True}])
def test_the_result_does_not_depend_on_threads_or_memory(
    done, small_nircam, planes, tmp_path, monkeypatch, more
):
    if "max_memory" in more:  # so short that even this exposure goes to scratch
        monkeypatch.setattr(memory, "ROOM", 0)
        for module in (memory, plans):
            monkeypatch.setattr(module, "RESERVE", -(10 << 20))
        more = {"max_memory": memory.BASE - (4 << 20)}
    again = heliodor.run(
        small_nircam.exposure, folders=small_nircam.references, save=True, out=tmp_path,
        pipeline=done.plan.request.pipelines, **more,
    )  # fmt: skip
    assert again.plan.on_scratch == ("max_memory" in more)
    expected = planes(done.paths["rate"])
    for name, plane in planes(again.paths["rate"]).items():
        np.testing.assert_array_equal(plane, expected[name], err_msg=name)


def test_a_file_of_the_same_name_elsewhere_is_another(done, small_nircam, folder, tmp_path):
    (tmp_path / "my_steps.py").write_text(STEPS.replace('"NIRCAM"', '"FGS"'))
    (tmp_path / "edits.yaml").write_text(EDITS)
    given = {"folders": small_nircam.references}
    there = heliodor.plan(small_nircam.exposure, pipeline=tmp_path / "edits.yaml", **given)
    here = heliodor.plan(small_nircam.exposure, pipeline=folder / "edits.yaml", **given)
    runs = [{s.label: s.runs for s in plan.steps}["destripe"] for plan in (there, here)]
    assert runs == [False, True]


# ------------------------------------------------------------------ by itself


def test_help_comes_from_signature_and_docstring(cli, folder):
    done = cli("step", f"{folder}/my_steps.py:destripe")
    assert done.code == 0
    words = " ".join(done.out.split())
    for said in (
        "destripe Subtract the median of every row.", "offered by my_steps.py",
        "looks at frame, writes data", "when INSTRUME is NIRCAM", "Good for stripes.",
        "a number, at least 0, at", "keyword S_DESTRI",
    ):  # fmt: skip
        assert said in words
    (facts,) = json.loads(cli("step", f"{folder}/my_steps.py:scaled", "--json").out)
    assert facts["parameters"][1]["default"] == 2.0
    schema = json.loads(cli("schema", "step", f"{folder}/my_steps.py:destripe").out)
    assert schema["properties"]["strength"]["maximum"] == 1


def test_run_alone_on_a_product(done, folder):
    rate = done["rate"]
    twice = heliodor.run_step(f"{folder}/my_steps.py:scaled", rate, factor=4)
    np.testing.assert_array_equal(twice.data, rate.data * np.float32(4))
    with pytest.raises(UsageError, match="Did you mean 'factor'"):
        heliodor.run_step(f"{folder}/my_steps.py:scaled", rate, fctor=4)


def test_run_alone_on_a_ramp(small_nircam, folder):
    ramp = heliodor.run_step(f"{folder}/my_steps.py:destripe", small_nircam.exposure)
    raw = fits.getdata(small_nircam.exposure, "SCI").astype(np.float32)
    np.testing.assert_array_equal(ramp.data, raw - np.median(raw, axis=3, keepdims=True))


# ------------------------------------------------------------------ what goes wrong


@pytest.mark.parametrize(
    ("node", "error", "said"),
    [
        ("your_steps.py:f", UsageError, r"one\.yaml:3: .*your_steps\.py: cannot be read"),
        ("my_steps.py:destrip", UsageError, r"one\.yaml:3: .*Did you mean 'destripe'"),
        ("my_steps.py:Level", PluginError, r"one\.yaml:3: my_steps\.py: .* neither a function"),
        ("no_package.steps:f", UsageError, r"one\.yaml:3: .*no module 'no_package' installed"),
        ("{my_steps.py:destripe: {use: heliodor-x}}", PipelineError, "'use' is for steps of plug"),
        ("my_steps.py:scaled", PipelineError, r"one\.yaml:3: scaled works on a product: say which"),
        ("{my_steps.py:detection: {as: one}}", None, ""),
    ],
)
def test_what_cannot_be_found_is_named_with_the_line_of_the_document(
    small_nircam, edits, node, error, said
):
    given = {"pipeline": edits(node), "folders": small_nircam.references}
    if error is None:
        assert heliodor.plan(small_nircam.exposure, **given).steps
        return
    with pytest.raises(error, match=said):
        heliodor.plan(small_nircam.exposure, **given)


def test_a_class_says_for_which_exposures_it_is(small_nircam, edits):
    given = {"pipeline": edits("my_steps.py:OfMiri"), "folders": small_nircam.references}
    steps = {step.label: step for step in heliodor.plan(small_nircam.exposure, **given).steps}
    assert not steps["OfMiri"].runs
    assert steps["OfMiri"].reason == "it is for INSTRUME MIRI"


def test_what_works_on_ramps_is_not_for_a_product(small_nircam, folder):
    (folder / "more.py").write_text("def flags(groupdq): pass\n")
    path = folder / "two.yaml"
    path.write_text(
        "extends: calwebb_detector1\nedits:\n"
        "  - {insert: {more.py:flags: {of: rate}}, after: ramp_fit}\n"
    )
    with pytest.raises(PipelineError, match="flags works on ramps, and not on rate"):
        heliodor.plan(small_nircam.exposure, pipeline=path, folders=small_nircam.references)


def test_a_value_out_of_range_is_refused_before_the_run(cli, small_nircam, folder):
    done = cli(
        "plan", small_nircam.exposure, "--pipeline", folder / "edits.yaml",
        "-p", "destripe.strength=2",
    )  # fmt: skip
    assert done.code == 2
    assert "at least 0, at most 1. Fraction that is taken away." in " ".join(done.err.split())


def test_one_keyword_for_two_steps_is_refused(small_nircam, folder, edits):
    (folder / "more.py").write_text("def jump_thrice(data): pass\ndef jump_three(data): pass\n")
    path = edits("[more.py:jump_thrice, more.py:jump_three]")
    with pytest.raises(UsageError, match=r"more\.py: .*both be recorded as S_JUMPTH.*status="):
        heliodor.plan(small_nircam.exposure, pipeline=path, folders=small_nircam.references)


def test_a_step_that_raises_is_named_with_file_and_line(small_nircam, edits):
    given = {"pipeline": edits("my_steps.py:fails"), "folders": small_nircam.references}
    line = STEPS.splitlines().index("    return numbers[len(data)]") + 1
    said = rf"uncal\.fits: fails of my_steps\.py failed: IndexError.* \(my_steps\.py:{line}\)"
    with pytest.raises(StepError, match=said):
        heliodor.run(small_nircam.exposure, **given)


def test_a_step_cannot_end_the_process(small_nircam, edits):
    given = {"pipeline": edits("my_steps.py:quits"), "folders": small_nircam.references}
    with pytest.raises(StepError, match=r"quits of my_steps\.py failed: SystemExit: 3"):
        heliodor.run(small_nircam.exposure, **given)
