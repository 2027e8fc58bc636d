"""Parameter files of jwst: what is taken, what is left out and told, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from heliodor.documents.parse import parse
from heliodor.errors import NotYetError, ReferenceError, UsageError
from heliodor.layers import Layered
from heliodor.parameterfiles import FILES, Value, read
from heliodor.parametersources import overrides, types_of, with_options
from heliodor.params import Params, parameter

HEAD = (
    "#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n"
    "--- !core/asdf-1.1.0\n"
)
PIPELINE = ("calwebb_detector1",)
STEPS = {"dq_init", "jump", "ramp_fit"}
INSTALLED = STEPS | {"emicorr", "flat_field"}


class JumpParams(Params):
    rejection_threshold: float = parameter(4.0, "The cut.", unit="sigma", ge=0)
    maximum_cores: str | None = parameter("1", "Cores.")
    groups: list[int] | None = parameter(None, "Groups.")
    expand_large_events: bool = parameter(False, "Snowballs.")


@pytest.fixture
def write(tmp_path):
    def write(tree, name="pars.asdf"):
        path = tmp_path / name
        text = tree if isinstance(tree, str) else yaml.safe_dump(tree)
        path.write_text(f"{HEAD}{text}...\n")
        return path

    return write


@pytest.fixture
def take(write):
    """Write a file and read it for a pipeline of three steps."""

    def take(tree):
        return read(write(tree), "user file", PIPELINE, STEPS, INSTALLED)

    return take


def of_step(class_name="jwst.jump.jump_step.JumpStep", **parameters):
    return {"class": class_name, "name": "jumpstep", "parameters": parameters}


def of_pipeline(*steps, **parameters):
    return {
        "class": "jwst.pipeline.calwebb_detector1.Detector1Pipeline",
        "name": "Detector1Pipeline",
        "parameters": parameters,
        "steps": [
            {"class": "", "name": name, "parameters": inside or {}} for name, inside in steps
        ],
    }


@pytest.mark.parametrize(
    ("class_name", "step"),
    [
        ("jwst.jump.jump_step.JumpStep", "jump"),
        ("jwst.step.JumpStep", "jump"),
        ("jwst.ramp_fitting.RampFitStep", "ramp_fit"),
        ("jwst.dq_init.DQInitStep", "dq_init"),
    ],
)
def test_a_step_is_known_by_its_class(take, class_name, step):
    file = take(of_step(class_name, anything=1))
    assert file.subject == step
    assert file.values == (Value(step, "anything", 1),)


def test_a_pipeline_with_its_steps(take):
    file = take(
        of_pipeline(
            ("jump", {"rejection_threshold": 5.0}),
            ("ramp_fit", {"skip": True}),
            ("dq_init", None),
            save_calibrated_ramp=True,
            skip=False,
        )
    )
    assert file.subject == "calwebb_detector1"
    assert file.values == (
        Value("", "save_calibrated_ramp", True),
        Value("jump", "rejection_threshold", 5.0),
        Value("ramp_fit", "skip", True),
    )


def test_a_step_of_a_pipeline_by_its_class_alone(take):
    tree = of_pipeline()
    tree["steps"] = [{"class": "jwst.ramp_fitting.RampFitStep", "parameters": {"a": 1}}]
    assert take(tree).values == (Value("ramp_fit", "a", 1),)


def test_as_they_were_written_before_2020(take):
    step = take(
        {"parameters": {"class": "jwst.jump.JumpStep", "name": "x", "rejection_threshold": 3}}
    )
    assert step.values == (Value("jump", "rejection_threshold", 3),)
    inside = {"jump": {"class": "jwst.jump.JumpStep", "rejection_threshold": 3}}
    pipeline = take({"parameters": {"class": "a.Detector1Pipeline", "steps": inside}})
    assert pipeline.values == step.values


def test_what_is_about_files_of_the_other_program_is_left_out(take):
    neutral = {name: allowed[0] for name, allowed in FILES.items()}
    file = take(of_step(**neutral, pre_hooks=[], post_hooks=None))
    assert not file.values
    assert not file.left_out
    file = take(of_step(**{**neutral, "output_dir": "there", "save_results": True}))
    assert not file.values
    assert file.left_out == (
        "jump.output_dir = 'there' (about files of jwst)",
        "jump.save_results = True (about files of jwst)",
    )


def test_hooks_are_not_passed_over(take):
    with pytest.raises(NotYetError, match=r"pars.asdf: jump.pre_hooks = \['a.b'\]: hooks"):
        take(of_step(pre_hooks=["a.b"]))


def test_files_that_take_the_place_of_references(take):
    file = take(of_step(override_gain="my.fits", override_readnoise=None))
    assert not file.values
    assert overrides({"readnoise": "b.fits", "pars-jumpstep": "c.asdf"}, [file]) == {
        "gain": "my.fits",
        "readnoise": "b.fits",
    }
    assert overrides({"gain": "mine.fits"}, [file]) == {"gain": "mine.fits"}


def test_steps_that_this_pipeline_does_not_have(take):
    file = take(of_pipeline(("emicorr", {"skip": False}), ("rscd", {}), ("jump", {})))
    assert not file.values
    assert file.left_out == ("emicorr (not in this pipeline)", "rscd (not in this pipeline)")
    with pytest.raises(UsageError, match=r"no step here 'jmp'. Did you mean 'jump'\?"):
        take(of_pipeline(("jmp", {"rejection_threshold": 5})))
    with pytest.raises(UsageError, match=r"pars.asdf: There is no step here 'flatfield'"):
        take(of_step("jwst.flatfield.FlatFieldStep"))


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"class": "jwst.jump.JumpStep"}, "it has no 'parameters'"),
        ({"parameters": {}}, "it does not say of which 'class'"),
        ({"parameters": []}, "it has no 'parameters'"),
        ({**of_pipeline(), "steps": [{"name": "jump", "parameters": [1]}]}, "of jump are none"),
        (
            {"class": "jwst.pipeline.GuiderPipeline", "parameters": {}},
            "the parameters of calwebb_guider; this exposure goes through calwebb_detector1",
        ),
    ],
)
def test_what_is_no_parameter_file_for_this_pipeline(take, tree, said):
    with pytest.raises(UsageError, match=rf"pars\.asdf.*{said}"):
        take(tree)


def test_an_unreadable_file(tmp_path):
    path = tmp_path / "pars.asdf"
    with pytest.raises(ReferenceError, match="not a readable ASDF file"):
        read(path, "user file", PIPELINE, STEPS, INSTALLED)
    path.write_text("parameters: {}")
    with pytest.raises(ReferenceError, match="not a readable ASDF file"):
        read(path, "user file", PIPELINE, STEPS, INSTALLED)


def test_values_are_read_as_older_files_write_them(take):
    layers = Layered()
    layers.add_file(
        take(
            "class: jwst.jump.JumpStep\nname: jump\nparameters:\n"
            "  rejection_threshold: '5e0'\n  maximum_cores: 'None'\n  groups: '1,2'\n"
            "  expand_large_events: yes\n"
        )
    )
    params, origins = layers.resolve("jump", JumpParams)
    assert params.model_dump(exclude={"skip"}) == {
        "rejection_threshold": 5.0,
        "maximum_cores": None,
        "groups": [1, 2],
        "expand_large_events": True,
    }
    assert str(origins["groups"]) == "user file, pars.asdf"


def test_a_history_is_no_hindrance(take):
    file = take(
        "history:\n  entries:\n"
        "  - !core/history_entry-1.0.0 {description: Base, time: !!timestamp '2019-10-29\n"
        "      21:20:50'}\n"
        "class: jwst.jump.JumpStep\nparameters: {a: 1}\n"
    )
    assert file.values == (Value("jump", "a", 1),)


def test_arrays_as_lists(take):
    layers = Layered()
    layers.add_file(
        take(
            "class: jwst.jump.JumpStep\nparameters:\n"
            "  groups: !core/ndarray-1.0.0 {data: [3, 4], datatype: int64, shape: [2]}\n"
        )
    )
    assert layers.resolve("jump", JumpParams)[0].groups == [3, 4]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rejection_treshold": 5}, "Did you mean 'rejection_threshold'?"),
        ({"rejection_threshold": -5}, "it takes a number, at least 0 [sigma]"),
    ],
)
def test_what_the_step_refuses_is_told_with_the_file(take, given, said):
    layers = Layered()
    layers.add_file(take(of_step(**given)))
    with pytest.raises(UsageError) as error:
        layers.resolve("jump", JumpParams)
    assert "(user file, pars.asdf)" in str(error.value)
    assert said in str(error.value)


def test_the_types_that_are_asked_for():
    assert types_of(["jump", "clean_flicker_noise", "jump"], "calwebb_detector1") == (
        "pars-jumpstep",
        "pars-cleanflickernoisestep",
        "pars-detector1pipeline",
    )
    assert types_of(["jump"]) == ("pars-jumpstep",)


def test_options_of_the_pipeline_in_their_layer(write):
    text = (
        "name: calwebb_detector1\noptions: {keep: false}\nsteps:\n"
        "  - jump\n  - save: ramp\n    when: {option.keep: true}\n"
    )
    shipped = parse(text, "p.yaml", "mode")
    mine = parse(text, "p.yaml", "pipeline file")
    path = write(of_pipeline(keep=True))
    weak = read(path, "parameter reference", PIPELINE, STEPS, INSTALLED)
    strong = read(path, "user file", PIPELINE, STEPS, INSTALLED)
    values = {
        (document is mine, file is strong): with_options(document, [file]).options[-1].value
        for document in (shipped, mine)
        for file in (weak, strong)
    }
    assert values == {
        (False, False): True,
        (False, True): True,
        (True, False): False,
        (True, True): True,
    }
    with pytest.raises(UsageError, match=r"option of calwebb_detector1 'kep'. Did you mean 'keep'"):
        with_options(
            shipped, [read(write(of_pipeline(kep=1)), "user file", PIPELINE, STEPS, INSTALLED)]
        )
    with pytest.raises(UsageError, match="keep = 5 is not allowed: options are true or false"):
        with_options(
            shipped, [read(write(of_pipeline(keep=5)), "user file", PIPELINE, STEPS, INSTALLED)]
        )
    assert shipped.options[-1].value is False


def test_the_reader_keeps_nothing(write):
    path: Path = write(of_step(groups=[1]))
    first = read(path, "user file", PIPELINE, STEPS, INSTALLED)
    first.values[0].value.append(2)
    assert read(path, "user file", PIPELINE, STEPS, INSTALLED).values[0].value == [1]
