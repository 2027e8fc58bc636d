"""A walk through a pipeline: what is done for an exposure, what not, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from heliodor.documents.apply import apply
from heliodor.documents.conditions import UNDECIDED
from heliodor.documents.facts import facts
from heliodor.documents.parse import parse, read
from heliodor.documents.walk import CopyUse, SaveUse, StepUse, walk
from heliodor.errors import NotYetError, PipelineError
from heliodor.params import Params

DATA = Path(__file__).parent / "data"
MIRI = facts({"INSTRUME": "MIRI", "EXP_TYPE": "MIR_IMAGE", "TSOVISIT": True}, stage=1)


def uses(text, known=MIRI):
    return list(walk(parse(f"name: p\nsteps: {text}\n", "p.yaml"), known))


def labels(found):
    return [use.label if isinstance(use, StepUse) else f">{use.suffix}" for use in found]


def test_detector1_of_a_time_series():
    found = list(walk(read(DATA / "miri_detector1.yaml"), MIRI))
    done = [use for use in found if use.runs is True and getattr(use, "enabled", True)]
    assert " ".join(labels(done)) == (
        "group_scale dq_init saturation lastframe reset linearity dark_current jump ramp_fit "
        "gain_scale >rate >rateints"
    )
    steps = {use.label: use for use in found if isinstance(use, StepUse)}
    rscd = steps["rscd"]
    assert rscd.runs is False
    assert rscd.reason == "only when TSOVISIT is not true; here TSOVISIT is true"
    assert rscd.enabled
    ramp = next(use for use in found if isinstance(use, SaveUse) and use.suffix == "ramp")
    assert ramp.reason.endswith("here there is no option.save_calibrated_ramp")
    fit, gain = steps["ramp_fit"], steps["gain_scale"]
    assert fit.to["rateints"] == "rateints"
    assert (gain.each, gain.path) == (("rate", "rateints"), "rate+rateints/gain_scale")
    assert [(u.suffix, u.port) for u in found[-2:]] == [("rate", "rate"), ("rateints", "rateints")]


def test_enabled_by_a_later_setting():
    edits = parse("extends: calwebb_detector1\nedits: [{set: {emicorr.skip: false}}]", "my.yaml")
    document = apply(read(DATA / "miri_detector1.yaml"), edits)
    emicorr = next(use for use in walk(document, MIRI) if use.label == "emicorr")
    assert emicorr.enabled
    assert [str(setting.place) for setting in emicorr.settings] == [
        "miri_detector1.yaml:7",
        "my.yaml:2",
    ]


@pytest.mark.parametrize("value", ["true", "yes", "on", "1", "false", "no", "off", "0"])
def test_skip_is_read_as_the_step_itself_reads_it(value):
    (jump,) = uses(f"[{{jump: {{set: {{skip: {value}}}}}}}]")
    (setting,) = jump.settings
    assert jump.enabled is not Params(skip=setting.value).skip


@pytest.mark.parametrize(
    ("option", "saved"), [({}, True), ({"save_calibrated_ramp": False}, False)]
)
def test_options_of_the_command_line_count_more(option, saved):
    edits = parse("extends: calwebb_detector1\noptions: {save_calibrated_ramp: true}", "my.yaml")
    document = apply(read(DATA / "miri_detector1.yaml"), edits)
    found = walk(document, MIRI | facts({}, option=option))
    assert next(use for use in found if isinstance(use, SaveUse)).runs is saved


def test_settings_for_this_exposure_only():
    edits = parse(
        "extends: p\nedits:\n"
        "- {set: {jump.a: 1}, when: {instrument: MIRI}}\n"
        "- {set: {jump.a: 2}, when: {instrument: NIRCAM}}\n",
        "my.yaml",
    )
    (jump,) = walk(apply(parse("name: p\nsteps: [jump]", "p.yaml"), edits), MIRI)
    assert [setting.value for setting in jump.settings] == [1]


def test_settings_cannot_wait_for_the_run():
    edits = parse(
        "extends: p\nedits:\n- {set: {jump.a: 1}, when: {status.refpix: SKIPPED}}", "my.yaml"
    )
    document = apply(parse("name: p\nsteps: [refpix, jump]", "p.yaml"), edits)
    with pytest.raises(PipelineError, match=r"my.yaml:3: 'a' cannot depend on .* status.refpix"):
        list(walk(document, MIRI))


def test_choice():
    text = """[choose: [
        {when: {instrument: NIRCAM}, do: [a]},
        {when: {exp_type: MIR_IMAGE}, do: [b]},
        {when: {instrument: MIRI}, do: [c]},
        {otherwise: [d]}]]"""
    found = uses(text)
    assert [use.runs for use in found] == [False, True, False, False]
    assert found[1].path == "choose/mir_image/b"
    assert "not (EXP_TYPE is MIR_IMAGE)" in found[2].reason or (
        "EXP_TYPE is not MIR_IMAGE" in found[2].reason
    )


def test_choice_that_is_decided_at_run():
    text = """[choose: [
        {when: {status.resample_spec: COMPLETE}, do: [a]},
        {when: {instrument: MIRI}, do: [b]},
        {otherwise: [c]}]]"""
    a, b, c = uses(text)
    assert (a.runs, b.runs, c.runs) == (UNDECIDED, UNDECIDED, False)
    assert b.reason.startswith("decided at run: status.resample_spec is not COMPLETE")
    known = MIRI | facts({}, status={"resample_spec": "SKIPPED"})
    assert (a.condition.evaluate(known), b.condition.evaluate(known)) == (False, True)


def test_saves():
    found = uses(
        "[{a: {to: x, save: one}}, {b: {of: x, save: two, when: {stage: 2}}}, {c: {save: three}},"
        "{each: [x, main], do: [{d: {save: '{port}-d'}}]}, {save: four, of: x}]"
    )
    assert [(u.suffix, u.port, u.after, u.runs) for u in found if isinstance(u, SaveUse)] == [
        ("one", "x", "a", True),
        ("two", "x", "b", False),
        ("three", "main", "c", True),
        ("x-d", "x", "d", True),
        ("main-d", "main", "d", True),
        ("four", "x", "", True),
    ]


def test_aside_has_ports_of_its_own():
    found = uses(
        "[{a: {to: {x: x}}}, {aside: [b, {c: {of: x, to: {y: y}}}, {d: {of: y}}, {save: s, of: y},"
        "{each: [x], do: [{save: '{port}'}]}]}, {e: {of: {main: x, more: main}}}]"
    )
    copies = [(use.port, use.to) for use in found if isinstance(use, CopyUse)]
    assert copies == [("main", "aside/main"), ("x", "aside/x")]
    ports = [(use.label, use.port) for use in found if isinstance(use, StepUse)]
    assert ports == [
        ("a", "main"), ("b", "aside/main"), ("c", "aside/x"), ("d", "aside/y"), ("e", "x"),
    ]  # fmt: skip
    saves = [(use.suffix, use.port) for use in found if isinstance(use, SaveUse)]
    assert saves == [("s", "aside/y"), ("x", "aside/x")]
    assert found[-1].inputs == {"more": "main"}


def test_aside_inside_aside():
    found = uses("[{aside: [a, {aside: [b], as: inner}]}]")
    copies = [(use.port, use.to) for use in found if isinstance(use, CopyUse)]
    assert copies == [("main", "aside/main"), ("aside/main", "aside/inner/main")]


def test_repeat():
    found = uses("[{repeat: {times: 2, do: [a, {b: {save: x}}, {save: y}]}}]")
    steps = [(use.label, use.round) for use in found if isinstance(use, StepUse)]
    assert steps == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]
    assert [use.suffix for use in found if isinstance(use, SaveUse)] == ["x", "y"]


@pytest.mark.parametrize(
    "text",
    [
        "[{each: slits, do: [a]}]",
        "[{each: [main], do: [a], gather: x}]",
        "[{each: [main], do: [{each: [main], do: [a]}]}]",
    ],
)
def test_not_yet(text):
    with pytest.raises(NotYetError, match=r"p.yaml:2: .* cannot be planned yet"):
        uses(text)
