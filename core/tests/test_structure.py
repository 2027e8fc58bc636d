"""Pipelines that are more than a list: what wraps, repeats, goes aside, calls, or may fail."""

from __future__ import annotations

import logging
import textwrap
from dataclasses import replace

import heliodor
import numpy as np
import pytest
from heliodor import plans, scratch
from heliodor.api import plan
from heliodor.data import Product
from heliodor.declare import Note, Output, Phase, StepSpec
from heliodor.errors import (
    Abandoned,
    NotYetError,
    PipelineError,
    PluginError,
    StepError,
    UsageError,
)
from heliodor.params import Params, parameter
from heliodor.step import Skipped, Step
from heliodor.testing import conformance, made_up_ramp, make_ramp, run_step

PIPELINE = """
name: made_up_detector1
for: {stage: 1, instrument: X}
in: uncal
options: {keep: false}
steps:
  - add
  - double
  - save: ramp
    when: {option.keep: true}
  - slopes: {to: {rate: rate}}
  - save: rate
    of: rate
"""


class AddParams(Params):
    value: float = parameter(1.0, "What is added.")
    fail: bool = parameter(False, "Fail half-way.")


class Add(Step[AddParams]):
    """Adds a number, integration by integration."""

    Params = AddParams

    def add(self, ramp, piece):
        ramp.data[piece.integration] += self.params.value
        if self.params.fail and piece.integration:
            ramp.keywords["HALFWAY"] = True
            raise ArithmeticError("no more numbers")


class Double(Step[Params]):
    """Doubles the ramp."""

    def double(self, ramp, piece):
        ramp.data[piece.integration, :, piece.rows] *= 2


class SlopesParams(Params):
    scale: float = parameter(1.0, "Scale.")
    refuse: bool = parameter(False, "Do not apply.")


class Slopes(Step[SlopesParams]):
    """Takes the last group for a slope."""

    Params = SlopesParams

    def prepare(self, ramp, refs):
        return Skipped("refused") if self.params.refuse else None

    def take(self, ramp, piece):
        self.notes.slope[piece.rows] = ramp.data[0, -1, piece.rows]

    def finish(self, ramp):
        self.log.info("this is heard")
        planes = {"data": self.notes.slope * np.float32(self.params.scale)}
        return {"rate": Product("rate", "ImageModel", planes, ramp.keywords.copy())}


class Halve(Step[Params]):
    """Halves slopes."""

    def finish(self, product):
        product.planes["data"] /= 2


class Guard(Step[Params]):
    """Sets the first row aside, and puts it back."""

    def hide(self, ramp, piece):
        self.notes.row[piece.integration] = ramp.data[piece.integration, :, 0]
        ramp.data[piece.integration, :, 0] = 0

    def restore(self, ramp, piece):
        ramp.data[piece.integration, :, 0] = self.notes.row[piece.integration]


class Correct(Step[Params]):
    """Subtracts the slope that was found before."""

    def subtract(self, ramp, piece):
        ramp.data[piece.integration] -= self.inputs["rate"].planes["data"]


class DraftParams(Params):
    scale: float | None = parameter(None, "Scale of the draft.")


class Draft(Step[DraftParams]):
    """Subtracts slopes that it has made itself, of the doubled ramp."""

    Params = DraftParams

    def prepare(self, ramp, refs):
        doubled = self.call("double", ramp)
        assert doubled.groupdq is ramp.groupdq
        given = {} if self.params.scale is None else {"scale": self.params.scale}
        draft = self.call("slopes", doubled, **given)["rate"]
        self.rate = draft.planes["data"]

    def subtract(self, ramp, piece):
        ramp.data[piece.integration] -= self.rate


class Greedy(Step[Params]):
    """Calls what it has not declared."""

    def finish(self, ramp):
        self.call("double", ramp)


def step(impl: type[Step], name: str = "", params: type[Params] = Params, **more) -> StepSpec:
    name = name or impl.__name__.lower()
    paths = f"{__name__}:{impl.__name__}", f"{__name__}:{params.__name__}"
    return StepSpec(name, *paths, "Test.", f"S_{name[:6].upper()}", **more)


ADD = step(Add, params=AddParams, phases=(Phase("add", "frames", writes=("data",)),))
DOUBLE = step(Double, phases=(Phase("double", "ramp", writes=("data",)),))
TAKE = Phase("take", "pixels", notes=(Note("slope", "yx"),))
SLOPES = step(Slopes, params=SlopesParams, phases=(TAKE,), makes=(Output("rate"),))
SUBTRACT = Phase("subtract", "frames", writes=("data",))
STEPS = (
    ADD,
    DOUBLE,
    SLOPES,
    step(
        Guard,
        phases=(
            Phase("hide", "frames", writes=("data",), notes=(Note("row", "igx"),)),
            Phase("restore", "frames", writes=("data",), after=True),
        ),
    ),
    step(Halve, takes="image"),
    step(Correct, phases=(SUBTRACT,), reads=("rate",)),
    step(Draft, params=DraftParams, phases=(SUBTRACT,), calls=("double", "slopes")),
    step(Greedy),
    step(Double, "whole", phases=DOUBLE.phases, in_memory=True),
    step(Greedy, "endless", calls=("endless",)),
)
PART = "name: part\nfor: {stage: 1}\noptions: {twice: true}\nsteps:\n" + (
    "- add: {as: more, set: {value: 10}}\n- double: {when: {option.twice: true}}\n"
)
ENDLESS = "name: endless\nsteps: [{pipeline: endless}]\n"


@pytest.fixture
def calibrate(made_up):
    """Run the made-up pipeline with edits; returns the result."""
    return made_up(STEPS, made_up_detector1=PIPELINE, part=PART, endless=ENDLESS)


@pytest.fixture
def first(calibrate):
    """The slope of the plain pipeline, without its two steps: the last group."""
    return rate(calibrate("[remove: [add, double]]"))


def rate(result) -> np.ndarray:
    return result.products["rate"].planes["data"]


def statuses(result) -> list[str]:
    return [f"{step.title} {outcome.status}" for step, outcome in result.outcomes]


# ------------------------------------------------------------------ wrap


@pytest.mark.parametrize("threads", [1, 3])
def test_wrap(calibrate, first, threads):
    result = calibrate("[{wrap: add, with: guard}]", threads=threads)
    expected = (first + 1) * 2
    expected[0] = first[0] * 2
    np.testing.assert_array_equal(rate(result), expected)
    assert statuses(result)[:2] == ["add COMPLETE", "guard COMPLETE"]
    assert result.provenance.keywords()["S_GUARD"] == "COMPLETE"


def test_wrapped_twice_the_second_is_around_the_first(calibrate):
    result = calibrate("[{wrap: add, with: guard}, {wrap: add, with: {guard: {as: outer}}}]")
    assert statuses(result)[:3] == ["add COMPLETE", "guard COMPLETE", "outer COMPLETE"]
    with pytest.raises(PipelineError, match=r"there is already 'guard' here, from my.yaml:2"):
        calibrate("[{wrap: add, with: guard}, {wrap: add, with: guard}]")


def test_what_wraps_is_left_out_with_its_step(calibrate, first):
    result = calibrate("[{wrap: add, with: guard}, {set: {add.skip: true}}]")
    np.testing.assert_array_equal(rate(result), first * 2)
    guard = next(outcome for step, outcome in result.outcomes if step.label == "guard")
    assert (guard.status, guard.reason) == ("SKIPPED", "add is left out")


def test_what_wraps_may_be_left_out_by_itself(calibrate, first):
    result = calibrate("[{wrap: add, with: guard}, {set: {add/guard.skip: true}}]")
    np.testing.assert_array_equal(rate(result), (first + 1) * 2)


def test_a_step_that_fails_inside_is_the_one_to_blame(calibrate):
    with pytest.raises(StepError, match=r"uncal.fits: add of .* failed: ArithmeticError"):
        calibrate("[{wrap: add, with: guard}, {set: {add.fail: true}}]")


def test_wrap_with_what_does_not_wrap(calibrate):
    with pytest.raises(PipelineError, match=r"my.yaml:2: double has nothing to do after"):
        calibrate("[{wrap: add, with: double}]", do=plan)
    with pytest.raises(PipelineError, match=r"my.yaml:2: guard has something to do before and"):
        calibrate("[{insert: guard, after: add}]", do=plan)
    with pytest.raises(PipelineError, match=r"'guard' wraps 'add'; name that one instead"):
        calibrate("[{wrap: add, with: guard}, {insert: double, before: guard}]", do=plan)


# ------------------------------------------------------------------ on_error


def test_a_step_that_may_fail_leaves_no_trace(calibrate, first):
    edits = "- replace: add\n  by: {add: {set: {fail: true}, on_error: skip}}"
    result = calibrate(edits)
    np.testing.assert_array_equal(rate(result), first * 2)
    assert statuses(result)[0] == "add FAILED"
    assert "no more numbers" in result.outcomes[0][1].reason
    assert result.provenance.keywords()["S_ADD"] == "FAILED"
    assert "HALFWAY" not in result.products["rate"].keywords


def test_a_step_that_may_fail_inside_one_that_wraps_it(calibrate, first):
    edits = "- replace: add\n  by: {add: {set: {fail: true}, on_error: skip}}\n"
    result = calibrate(edits + "- wrap: add\n  with: guard")
    np.testing.assert_array_equal(rate(result), first * 2)


def test_an_exposure_that_is_abandoned(calibrate):
    edits = "- replace: add\n  by: {add: {set: {fail: true}, on_error: abandon}}"
    with pytest.raises(Abandoned, match="no more numbers") as error:
        calibrate(edits)
    assert error.value.exit_code == 64


# ------------------------------------------------------------------ aside


ASIDE = """
- insert:
    aside: [{add: {as: other}}, {slopes: {to: {rate: rate}}}, {save: aside, of: rate}]
  before: double
"""


def test_aside(calibrate, first):
    result = calibrate(ASIDE)
    np.testing.assert_array_equal(rate(result), (first + 1) * 2)
    np.testing.assert_array_equal(result.products["aside"].planes["data"], first + 2)


def test_aside_copies_only_what_is_changed_there(calibrate):
    planned = calibrate(ASIDE, do=plan)
    (copy,) = (node for node in planned.nodes if hasattr(node, "planes"))
    assert (copy.port, copy.planes) == ("main", ("data",))
    usual = calibrate(do=plan)
    # a copy of the ramp beside the slopes made of it, against the pipeline's own slopes
    assert planned.memory.peak - usual.memory.peak == planned.memory.cube


def test_aside_of_a_product(calibrate, first):
    edits = "- insert: {aside: [{halve: {of: rate}}, {save: half, of: rate}]}\n  after: slopes"
    result = calibrate(edits)
    np.testing.assert_array_equal(rate(result), (first + 1) * 2)
    np.testing.assert_array_equal(result.products["half"].planes["data"], first + 1)


# ------------------------------------------------------------------ repeat


def test_repeat(calibrate, first):
    result = calibrate("[repeat: {times: 3, do: [add, double]}]")
    np.testing.assert_array_equal(rate(result), ((first + 1) * 2 + 1) * 4 + 2)
    assert statuses(result)[2:4] == ["add, round 2 COMPLETE", "double, round 2 COMPLETE"]


def test_repeat_keeps_the_ramp_after_the_fit(calibrate, first):
    """Fit, correct the ramp by the slopes, fit again."""
    result = calibrate("[{remove: [add, double]}, {repeat: {times: 2, do: [correct, slopes]}}]")
    assert statuses(result) == [
        "correct, round 1 SKIPPED",
        "slopes, round 1 COMPLETE",
        "correct, round 2 COMPLETE",
        "slopes, round 2 COMPLETE",
    ]
    assert result.outcomes[0][1].reason == "there will be no rate"
    assert (rate(result) == 0).all()
    assert (first != 0).any()


def test_parameters_count_in_every_round(calibrate, first):
    edits = "[{repeat: {times: 2, do: [add]}}, {set: {add.value: 5}}]"
    np.testing.assert_array_equal(rate(calibrate(edits)), (first + 10) * 2)
    result = calibrate("[repeat: {times: 2, do: [add]}]", parameters={"add.value": 3})
    np.testing.assert_array_equal(rate(result), (first + 6) * 2)


def test_a_product_saved_in_a_loop_is_that_of_the_last_round(calibrate):
    planned = calibrate("[repeat: {times: 2, do: [add, {save: each}]}]", do=plan)
    assert [save.suffix for save in planned.saves] == ["each", "rate"]
    assert planned.nodes.index(planned.saves[0]) == 2


def test_nothing_of_what_is_repeated_is_in_the_pipeline(calibrate):
    with pytest.raises(PipelineError, match=r"my.yaml:2: .* Did you mean 'double'"):
        calibrate("[repeat: {times: 2, do: [duble]}]", do=plan)
    with pytest.raises(PipelineError, match="none of these is in the pipeline"):
        calibrate("[repeat: {times: 2, do: [{add: {as: third}}]}]", do=plan)


# ------------------------------------------------------------------ services


def test_call(calibrate, first):
    result = calibrate("[{insert: draft, before: add}, {remove: double}]")
    np.testing.assert_array_equal(rate(result), first - 2 * first + 1)
    draft, outcome = result.outcomes[0]
    assert [(called.spec.name, done.status) for called, done in outcome.calls] == [
        ("double", "COMPLETE"),
        ("slopes", "COMPLETE"),
    ]
    assert [called.label for called in draft.calls] == ["draft/double", "draft/slopes"]


def test_calls_are_recorded_and_quiet(calibrate, caplog):
    caplog.set_level(logging.INFO)
    result = calibrate("- insert: {draft: {set: {scale: 3}}}\n  before: add")
    record = result.provenance.receipt.steps[0]
    assert [called.name for called in record.calls] == ["double", "slopes"]
    (scale,) = (p for p in record.calls[1].parameters if p.name == "scale")
    assert (scale.value, scale.origin) == (3.0, "call")
    assert sum("this is heard" in entry.message for entry in caplog.records) == 1


def test_parameters_of_what_is_called(calibrate, first):
    edits = "[{insert: draft, before: add}, {remove: double}]"
    result = calibrate(edits, parameters={"draft/slopes.scale": 0.5})
    np.testing.assert_array_equal(rate(result), first - first + 1)
    with pytest.raises(UsageError, match="Did you mean 'draft/slopes'"):
        calibrate(edits, parameters={"draft/slops.scale": 0.5})


def test_a_document_gives_parameters_to_what_is_called(calibrate, first):
    edits = "[{insert: draft, before: add}, {remove: double}, {set: {draft/slopes.scale: 0.5}}]"
    result = calibrate(edits)
    np.testing.assert_array_equal(rate(result), first - first + 1)
    (_, slopes) = result.plan.steps[0].calls
    assert str(slopes.origins["scale"]) == "user file, my.yaml:2"
    with pytest.raises(UsageError, match=r"draft/slops.scale \(user file, my.yaml:2\): There"):
        calibrate(edits.replace("slopes", "slops"), do=plan)
    with pytest.raises(PipelineError, match="no step labelled 'draf/slopes'"):
        calibrate(edits.replace("draft/slopes", "draf/slopes"), do=plan)


@pytest.mark.parametrize("suffix", [".yaml", ".asdf"])
def test_parameters_of_what_is_called_are_saved(calibrate, tmp_path, suffix):
    from heliodor.savedparameters import save

    edits = "- {insert: draft, before: add}\n- {insert: {draft: {as: other}}, before: double}\n"
    given = {"draft/slopes.scale": 0.5, "other/slopes.scale": 3}
    saved = tmp_path / f"saved{suffix}"
    save(calibrate(edits, do=plan, parameters=given), saved)
    if suffix == ".yaml":
        text = saved.read_text().partition("edits:\n")[2]
        again = calibrate(edits + textwrap.dedent(text), do=plan)
    else:
        again = calibrate(edits, do=plan, parameter_files=saved)
    scales = {each.label: each.calls[1].params.scale for each in again.steps if each.calls}
    assert scales == {"draft": 0.5, "other": 3.0}
    assert not any(file.left_out for file in again.parameter_files)


def test_what_is_called_and_does_not_apply(calibrate):
    with pytest.raises(StepError, match="draft: slopes, which it calls, was not done: refused"):
        calibrate("[{insert: draft, before: add}]", parameters={"draft/slopes.refuse": True})


def test_calls_that_are_not_declared(calibrate):
    with pytest.raises(StepError, match="greedy: calls double, which its declaration does not"):
        calibrate("[{insert: greedy, before: add}]")


def test_calls_without_end(calibrate):
    with pytest.raises(PluginError, match="endless calls endless: this would never end"):
        calibrate("[{insert: endless, before: add}]", do=plan)


def test_such_steps_are_tested_on_arrays():
    exposure = make_ramp(np.full((1, 2, 2, 3), 5.0))
    rate = Product("rate", "ImageModel", {"data": np.full((2, 3), 2.0)}, exposure.keywords)
    correct = next(each for each in STEPS if each.name == "correct")
    run_step(correct, exposure, inputs={"rate": rate})
    assert (exposure.data == 3).all()
    draft = next(each for each in STEPS if each.name == "draft")
    run_step(draft, exposure, calls=[DOUBLE, SLOPES])
    assert (exposure.data == -3).all()


def test_such_steps_are_held_to_what_they_promise():
    steps = {each.name: each for each in STEPS}
    ramp = made_up_ramp((2, 4, 40, 16))
    rate = Product("rate", "ImageModel", {"data": np.ones((40, 16), np.float32)}, ramp.keywords)
    conformance(steps["correct"], ramp, inputs={"rate": rate})
    conformance(steps["draft"], ramp, calls=[DOUBLE, SLOPES])
    conformance(steps["guard"], ramp)
    with pytest.raises(AssertionError, match="it reads a rate: give one"):
        conformance(steps["correct"], ramp)
    # what is called reads the ramp, which is not there yet
    early = replace(steps["draft"], prepare_reads=())
    with pytest.raises(AssertionError, match=r"draft on scratch, .* differs from memory: data"):
        conformance(early, ramp, calls=[DOUBLE, SLOPES])


class Forgetful(Guard):
    """Puts back the row of the first integration everywhere."""

    def restore(self, ramp, piece):
        ramp.data[piece.integration, :, 0] = self.notes.row[0]


class Doubtful(Draft):
    """Leaves in the flags what it has found out by calling."""

    def subtract(self, ramp, piece):
        ramp.groupdq[piece.integration, :, self.rate > 0] = 1


@pytest.mark.parametrize(
    ("impl", "name", "said"),
    [
        (Forgetful, "guard", "data has changed, but its phases do not declare"),
        (Doubtful, "draft", "groupdq has changed, but its phases do not declare"),
    ],
)
def test_such_a_step_that_breaks_its_promise(impl, name, said):
    spec = next(each for each in STEPS if each.name == name)
    phases = tuple(replace(phase, writes=()) for phase in spec.phases)
    spec = replace(spec, impl=f"{__name__}:{impl.__name__}", phases=phases)
    with pytest.raises(AssertionError, match=said):
        conformance(spec, made_up_ramp((2, 4, 40, 16)), calls=[DOUBLE, SLOPES])


@pytest.mark.parametrize("name", ["correct", "draft", "guard"])
def test_such_steps_are_not_yet_run_by_themselves(calibrate, make_uncal, name):
    with pytest.raises(NotYetError, match=rf"{name} .*: it cannot be run by itself yet"):
        heliodor.run_step(name, make_uncal(keywords={"INSTRUME": "X"}))


def test_what_holds_the_exposure_in_memory_is_refused_when_it_is_planned(calibrate):
    edits = "[{insert: whole, after: add}]"
    peak = calibrate(edits, do=plan).memory.peak
    assert calibrate(edits, do=plan, max_memory=peak).memory.peak == peak
    with pytest.raises(UsageError, match="whole would hold the whole exposure in memory"):
        calibrate(edits, do=plan, max_memory=peak - 1)
    calibrate(edits, do=plan, max_memory=10 * peak, skip=["whole"])


def test_memory_of_what_is_called(calibrate):
    planned = calibrate("[{insert: draft, before: add}]", do=plan)
    usual = calibrate(do=plan)
    # a copy of the ramp and the draft's product, against the pipeline's own
    assert planned.memory.peak - usual.memory.peak == planned.memory.cube


# ------------------------------------------------------------------ other pipelines


OTHER = "[{remove: [add, double]}, {insert: {pipeline: part}, before: slopes}]"


def test_pipeline_in_a_pipeline(calibrate, first):
    result = calibrate(OTHER)
    np.testing.assert_array_equal(rate(result), (first + 10) * 2)
    assert [step.label for step in result.plan.steps] == ["more", "double", "slopes"]


def test_option_of_a_pipeline_in_a_pipeline(calibrate, first):
    result = calibrate(OTHER, parameters={"twice": False})
    np.testing.assert_array_equal(rate(result), first + 10)


def test_an_option_that_an_edit_sets_counts_at_run(calibrate):
    assert set(calibrate().products) == {"rate"}
    assert set(calibrate("[set: {option.keep: true}]").products) == {"ramp", "rate"}


def test_the_same_label_in_both(calibrate, first):
    result = calibrate(
        "[{insert: {pipeline: part}, before: add}]", parameters={"part/double.skip": True}
    )
    np.testing.assert_array_equal(rate(result), (first + 11) * 2)


def test_pipeline_that_contains_itself(calibrate):
    with pytest.raises(PipelineError, match="endless contains endless: this would never end"):
        calibrate("[{insert: {pipeline: endless}, before: add}]", do=plan)


# ------------------------------------------------------------------ replace


def test_replaced_steps_are_recorded_as_skipped(calibrate, first):
    result = calibrate("- replace: [add, double]\n  by: {double: {as: both}}")
    np.testing.assert_array_equal(rate(result), first * 2)
    assert statuses(result)[:2] == ["add SKIPPED", "both COMPLETE"]
    assert result.outcomes[0][1].reason == "replaced by both (my.yaml:4)"
    assert result.provenance.keywords()["S_ADD"] == "SKIPPED"
    assert result.provenance.keywords()["S_DOUBLE"] == "COMPLETE"


@pytest.mark.parametrize(
    ("instrument", "done"),
    [
        ("X", ["add SKIPPED", "double SKIPPED", "both COMPLETE"]),
        ("Y", ["add COMPLETE", "double COMPLETE", "both SKIPPED"]),
    ],
)
def test_replaced_for_some_exposures(calibrate, first, instrument, done):
    result = calibrate(
        "- replace: [add, double]\n  by: {double: {as: both}}\n"
        f"  when: {{instrument: {instrument}}}"
    )
    assert statuses(result)[:3] == done
    np.testing.assert_array_equal(rate(result), first * 2 if instrument == "X" else (first + 1) * 2)
    # both are doubled by a step of this name: that the other was left out does not hide it
    assert result.provenance.keywords()["S_DOUBLE"] == "COMPLETE"
    assert result.products["rate"].keywords["S_DOUBLE"] == "COMPLETE"


def test_replaced_by_what_is_decided_at_run(calibrate, first):
    edits = "- replace: double\n  by: {add: {as: more}}\n  when: {status.add: SKIPPED}"
    np.testing.assert_array_equal(rate(calibrate(edits)), (first + 1) * 2)
    skipped = calibrate(edits, skip=["add"])
    assert statuses(skipped)[:3] == ["add SKIPPED", "double SKIPPED", "more SKIPPED"]
    kept = calibrate(edits, parameters={"add.skip": True, "more.skip": False})
    np.testing.assert_array_equal(rate(kept), first + 1)


# ------------------------------------------------------------------ on scratch


MAY_FAIL = "{replace: add, by: {add: {set: {fail: true}, on_error: skip}}}"


@pytest.mark.parametrize(
    "edits",
    [
        "[{wrap: add, with: guard}]",
        "[{wrap: slopes, with: guard}]",
        f"[{MAY_FAIL}, {{wrap: add, with: guard}}]",
        "[repeat: {times: 3, do: [add, correct, double, slopes]}]",
        "[{insert: draft, after: add}]",
        "[{insert: {aside: [{add: {as: other}}]}, before: double}]",
    ],
)
def test_the_same_on_scratch(calibrate, edits, monkeypatch, tmp_path):
    expected = calibrate(edits)
    monkeypatch.setattr(plans.Plan, "on_scratch", True)
    monkeypatch.setattr(scratch, "SMALL", 1)
    found = calibrate(edits, threads=2, max_memory=10 << 30, scratch=tmp_path)
    np.testing.assert_array_equal(rate(found), rate(expected))
    assert statuses(found) == statuses(expected)


# ------------------------------------------------------------------ nobody else is concerned


def test_an_edit_is_for_nobody_else_in_the_process(calibrate, first):
    before = rate(calibrate())
    calibrate("[{remove: add}, {set: {double.skip: true}}, {wrap: slopes, with: guard}]")
    calibrate("[repeat: {times: 2, do: [add, double]}]", parameters={"add.value": 9})
    np.testing.assert_array_equal(rate(calibrate()), before)
    np.testing.assert_array_equal(before, (first + 1) * 2)
