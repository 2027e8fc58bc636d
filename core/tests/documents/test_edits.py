"""Edits: what they do, that they leave the original alone, and how mistakes are told."""

from __future__ import annotations

import pytest
from heliodor.documents.apply import apply, options
from heliodor.documents.nodes import EachNode, StepNode, labelled
from heliodor.documents.parse import parse
from heliodor.errors import PipelineError

PIPELINE = """
name: calwebb_spec2
options: {save_bsub: false}
steps:
  - assign_wcs
  - jump
  - refpix
  - ramp_fit: {to: {rate: rate}}
  - choose:
      - when: {slits.kind: msa}
        do: [wavecorr, photom]
      - otherwise: [photom, flat_field]
  - each: [rate]
    do: [gain_scale, {save: "{port}"}]
  - pathloss
  - aside: [{extract_1d: {save: x1d}}]
  - save: bsub
    when: {option.save_bsub: true}
"""


@pytest.fixture
def pipeline():
    return parse(PIPELINE, "spec2.yaml", "mode")


def edits(text, file="my.yaml"):
    body = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return parse(f"extends: calwebb_spec2\nedits:\n{body}\n", file, "user file")


def paths(document):
    return ["/".join(path) for path, node in labelled(document.steps) if isinstance(node, StepNode)]


def top(document):
    return [node.label for node in document.steps]


def step(document, path):
    return next(n for p, n in labelled(document.steps) if "/".join(p) == path)


def test_insert(pipeline):
    result = apply(
        pipeline,
        edits("""
- insert: my_steps.py:destripe
  after: jump
  when: {instrument: NIRCAM}
  set: {strength: 2}
  as: stripes
- insert: {other.module: {set: {a: 1}, as: first}}
  before: jump
- insert: [one, {save: mine}]
  after: msa/photom
- insert: {save: wcs}
  after: assign_wcs
  when: {stage: 2}
"""),
    )
    assert top(result)[:6] == ["assign_wcs", "save:wcs", "first", "jump", "stripes", "refpix"]
    stripes = step(result, "stripes")
    assert stripes.step == "my_steps.py:destripe"
    assert stripes.when.describe() == "INSTRUME is NIRCAM"
    assert [(s.param, s.value, s.layer, str(s.place)) for s in stripes.settings] == [
        ("strength", 2, "user file", "my.yaml:6")
    ]
    assert [node.label for node in step(result, "choose/msa").do] == [
        "wavecorr", "photom", "one", "save:mine",
    ]  # fmt: skip
    assert step(result, "save:wcs").when.describe() == "stage is 2"


def test_the_original_stays(pipeline):
    before = repr(pipeline)
    apply(pipeline, edits("- remove: jump\n- set: {refpix.a: 1}"))
    assert repr(pipeline) == before


def test_set(pipeline):
    result = apply(
        pipeline,
        edits("""
- set: {refpix.odd_even_rows: no, msa/photom.inverse: true}
- set: {refpix: {side_gain: 2.0, odd_even_rows: true}}
  when: {instrument: NIRISS}
- set: {option.save_bsub: true}
"""),
    )
    assert [
        (s.param, s.value, s.when.describe(), s.layer, s.place.line)
        for s in step(result, "refpix").settings
    ] == [
        ("odd_even_rows", "no", "always", "user file", 3),
        ("side_gain", 2.0, "INSTRUME is NIRISS", "user file", 4),
        ("odd_even_rows", True, "INSTRUME is NIRISS", "user file", 4),
    ]
    assert len(step(result, "choose/msa/photom").settings) == 1
    assert step(result, "choose/otherwise/photom").settings == ()
    assert [(s.param, s.value) for s in result.options] == [
        ("save_bsub", False),
        ("save_bsub", True),
    ]


def test_replace_one(pipeline):
    result = apply(pipeline, edits("- replace: ramp_fit\n  by: {my.fit: {set: {a: 1}}}"))
    fit = step(result, "fit")
    assert top(result)[3] == "fit"
    assert (fit.to, fit.replaces) == ({"rate": "rate"}, ("ramp_fit",))


def test_replace_two_by_one_stands_where_the_last_stood(pipeline):
    result = apply(pipeline, edits("- replace: [ramp_fit, jump]\n  by: my.joint_fit"))
    assert top(result)[:3] == ["assign_wcs", "refpix", "joint_fit"]
    assert step(result, "joint_fit").replaces == ("jump", "ramp_fit")


def test_replace_again_remembers_all(pipeline):
    first = edits("- replace: [jump, ramp_fit]\n  by: my.joint_fit")
    second = edits("- replace: joint_fit\n  by: {my.better_fit: {to: {rate: rate}}}", "b.yaml")
    assert step(apply(pipeline, first, second), "better_fit").replaces == (
        "jump", "ramp_fit", "my.joint_fit",
    )  # fmt: skip


def test_a_replacement_may_keep_the_label(pipeline):
    result = apply(pipeline, edits("- replace: jump\n  by: my_steps.py:jump"))
    assert step(result, "jump").step == "my_steps.py:jump"


def test_replace_for_some_exposures(pipeline):
    result = apply(
        pipeline,
        edits("""
- replace: [jump, ramp_fit]
  by: {my.joint_fit: {when: {ngroups: {ge: 3}}}}
  when: {instrument: MIRI}
"""),
        edits("- set: {ramp_fit.a: 1}\n- insert: my.next\n  after: joint_fit", "b.yaml"),
    )
    assert top(result)[1:6] == ["jump", "refpix", "ramp_fit", "joint_fit", "next"]
    miri = "INSTRUME is MIRI"
    assert step(result, "jump").when.describe() == "INSTRUME is not MIRI"
    assert step(result, "ramp_fit").when.describe() == "INSTRUME is not MIRI"
    fit = step(result, "joint_fit")
    assert fit.when.describe() == f"{miri} and NGROUPS >= 3"
    assert (fit.to, fit.replaces) == ({"rate": "rate"}, ())
    with pytest.raises(PipelineError, match=r"there is already 'jump' here.*name this one with"):
        apply(pipeline, edits("- replace: jump\n  by: my.jump\n  when: {instrument: MIRI}"))


def test_move(pipeline):
    result = apply(
        pipeline,
        edits("- move: refpix\n  before: jump\n- move: pathloss\n  after: msa/photom"),
    )
    assert top(result)[:3] == ["assign_wcs", "refpix", "jump"]
    assert "pathloss" not in top(result)
    assert [n.label for n in step(result, "choose/msa").do] == ["wavecorr", "photom", "pathloss"]


def test_remove(pipeline):
    result = apply(pipeline, edits("- remove: [jump, gain_scale]\n- remove: 'save:{port}'"))
    assert "jump" not in paths(result)
    assert not any(isinstance(node, EachNode) for node in result.steps)  # nothing is left in it


def test_removing_what_fills_a_port_is_no_mistake(pipeline):
    assert "ramp_fit" not in paths(apply(pipeline, edits("- remove: ramp_fit")))


def test_several_files_in_order(pipeline):
    first = edits("- insert: my_steps.py:destripe\n  after: jump", "a.yaml")
    second = parse(
        "extends: calwebb_spec2\nname: mine\ntitle: My way\nfor: {instrument: NIRSPEC}\n"
        "edits:\n  - move: destripe\n    before: jump\n",
        "b.yaml",
        "user file",
    )
    third = edits("- set: {destripe.strength: 1}", "c.yaml")
    result = apply(pipeline, first, second, third)
    assert top(result)[:3] == ["assign_wcs", "destripe", "jump"]
    assert (result.name, result.extends, result.title) == ("mine", "calwebb_spec2", "My way")
    assert result.for_.describe() == "INSTRUME is NIRSPEC"
    assert [str(edit.place) for edit in result.edits] == ["a.yaml:3", "b.yaml:6", "c.yaml:3"]


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("msa/photom", "choose/msa/photom"),
        ("spec2/msa/photom", "choose/msa/photom"),
        ("calwebb_spec2/choose/otherwise/photom", "choose/otherwise/photom"),
        ("wavecorr", "choose/msa/wavecorr"),
        ("aside/extract_1d", "aside/extract_1d"),
        ("spec2/jump", "jump"),
    ],
)
def test_addresses(pipeline, address, path):
    result = apply(pipeline, edits(f"- set: {{{address}.a: 1}}"))
    assert [s.param for s in step(result, path).settings] == ["a"]


def test_the_whole_path_says_which():
    document = parse(
        "name: calwebb_spec2\nsteps: [photom, {aside: [photom]}]", "spec2.yaml", "mode"
    )
    result = apply(document, edits("- remove: spec2/photom"))
    assert paths(result) == ["aside/photom"]
    with pytest.raises(PipelineError, match="could mean spec2/photom, spec2/aside/photom"):
        apply(document, edits("- remove: photom"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- remove: photom", "my.yaml:3: 'photom' could mean spec2/choose/msa/photom, spec2/choo"),
        ("- remove: jmp", "my.yaml:3: There is no node labelled 'jmp'. Did you mean 'jump'?"),
        ("- remove: msa/photm", "Did you mean 'choose/msa/photom'?"),
        ("- set: {jmp.a: 1}", "There is no step labelled 'jmp'. Did you mean 'jump'?"),
        ("- set: {msa.a: 1}", "There is no step labelled 'msa'."),
        ("- set: {option.save_bsb: true}", "no option of calwebb_spec2 'save_bsb'. Did you mean"),
        (
            "- remove: jump\n- set: {jump.a: 1}",
            "my.yaml:4: There is no 'jump' any more: removed at",
        ),
        (
            "- replace: jump\n  by: a.b\n- remove: jump",
            "my.yaml:5: There is no 'jump' any more: replaced by 'b' at my.yaml:3",
        ),
        (
            "- insert: refpix\n  after: jump",
            "my.yaml:3: there is already 'refpix' here, from spec2.yaml:7; name this one with",
        ),
        (
            "- insert: a.py:f\n  after: jump\n- insert: b.py:f\n  after: refpix",
            "my.yaml:5: there is already 'f' here, from my.yaml:3",
        ),
        ("- replace: jump\n  by: my.refpix", "there is already 'refpix' here"),
        ("- replace: [jump, wavecorr]\n  by: a.b", "stand in different places"),
        ("- move: choose\n  after: wavecorr", "beside itself or into itself"),
        ("- move: jump\n  after: jump", "beside itself or into itself"),
        ("- insert: {x: {of: rat}}\n  after: jump", "Did you mean 'rate'?"),
        ("- wrap: jmp\n  with: a.b", "Did you mean 'jump'?"),
        ("- repeat: {times: 2, do: [rmp_fit]}", "Did you mean 'ramp_fit'?"),
    ],
)
def test_edits_that_cannot_be_applied(pipeline, text, message):
    with pytest.raises(PipelineError) as error:
        apply(pipeline, edits(text))
    assert message in str(error.value)
    assert str(error.value).startswith("my.yaml:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- jump", "an edit begins with one of insert, replace"),
        ("- {before: jump}", "an edit begins with one of insert, replace"),
        ("- {insert: x, after: a, before: b}", "'before' or 'after', one of them"),
        ("- {insert: x}", "'before' or 'after', one of them"),
        ("- {insert: x, after: a, whn: {}}", "Did you mean 'when'?"),
        ("- {insert: [x, y], after: a, set: {b: 1}}", "'set' is for one node"),
        ("- {insert: {save: x}, after: a, set: {b: 1}}", "only a step has parameters"),
        ("- {insert: {aside: [x]}, after: a, when: {stage: 1}}", "inside the inserted node"),
        ("- {replace: [], by: x}", "the list of labels is empty"),
        ("- {replace: [a, a], by: x}", "a label stands here twice"),
        ("- {replace: a}", "'by' is missing"),
        ("- {replace: a, by: {save: x}}", "only a step can stand here"),
        ("- {remove: a, when: {stage: 1}}", "There is no key of 'remove' 'when'"),
        ("- set: {rejection_threshold: 5}", "'rejection_threshold' lacks the step"),
        ("- set: []", "'set' is a mapping"),
        ("- {wrap: a}", "'with' is missing"),
        ("- {repeat: 2}", "'repeat' has 'times' and 'do'"),
        ("- {repeat: {times: 0, do: [a]}}", "a whole number from 1"),
    ],
)
def test_edits_that_cannot_be_read(text, message):
    with pytest.raises(PipelineError) as error:
        edits(text)
    assert message in str(error.value)
    assert str(error.value).startswith("my.yaml:3: ")


def test_wrap(pipeline):
    result = apply(
        pipeline, edits("- wrap: jump\n  with: {guard: {set: {a: 1}}}\n- wrap: jump\n  with: outer")
    )
    assert [node.label for node in step(result, "jump").wrappers] == ["outer", "guard"]
    further = apply(
        result, edits("- set: {guard.b: 2, jump/outer.c: 3}\n- remove: outer", "b.yaml")
    )
    (guard,) = step(further, "jump").wrappers
    assert [setting.param for setting in guard.settings] == ["a", "b"]
    replaced = apply(result, edits("- replace: jump\n  by: my.jump", "b.yaml"))
    assert len(step(replaced, "jump").wrappers) == 2


def test_repeat(pipeline):
    text = "- repeat: {times: 3, do: [ramp_fit, {my.one_f: {as: stripes}}, refpix]}"
    result = apply(pipeline, edits(text))
    assert top(result)[:3] == ["assign_wcs", "jump", "repeat"]
    assert (step(result, "repeat").times, len(step(result, "repeat").do)) == (3, 3)
    assert paths(result)[2:5] == ["repeat/ramp_fit", "repeat/stripes", "repeat/refpix"]
    again = apply(result, edits("- insert: dark\n  after: ramp_fit", "b.yaml"))
    assert paths(again)[3] == "repeat/dark"


def test_repeat_in_a_branch(pipeline):
    result = apply(pipeline, edits("- repeat: {times: 2, do: [msa/photom]}"))
    assert "choose/msa/repeat/photom" in paths(result)
    with pytest.raises(PipelineError, match="stand in different places"):
        apply(pipeline, edits("- repeat: {times: 2, do: [msa/photom, jump]}"))


def test_wrong_file(pipeline):
    with pytest.raises(PipelineError, match="edits of calwebb_image2, not of calwebb_spec2"):
        apply(pipeline, parse("extends: calwebb_image2\nedits: []", "my.yaml"))
    with pytest.raises(PipelineError, match="lacks 'extends'"):
        apply(pipeline, pipeline)


def test_options_are_those_set_and_those_asked_for(pipeline):
    document = parse(
        "name: p\noptions: {a: 1}\nsteps: [{save: x, when: {not: {option.b: true}}}]", "p.yaml"
    )
    assert options(document) == ("a", "b")


def test_a_later_file_is_applied_where_an_earlier_one_took_away_what_fills_a_port():
    document = parse(
        "name: p\nsteps:\n  - clean: {to: {mask: mask}}\n  - save: mask\n    of: mask\n  - jump\n",
        "p.yaml",
    )
    first = parse("extends: p\nedits:\n  - remove: clean\n", "first.yaml")
    second = parse("extends: p\nedits:\n  - set: {jump.cut: 3}\n", "second.yaml")
    assert top(apply(document, first, second)) == ["save:mask", "jump"]
