"""Pipeline documents: every kind of node, and every mistake with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from heliodor.documents.conditions import ALWAYS
from heliodor.documents.nodes import (
    AsideNode,
    ChooseNode,
    EachNode,
    PipelineNode,
    SaveNode,
    StepNode,
    labelled,
)
from heliodor.documents.parse import parse, read
from heliodor.errors import PipelineError

DATA = Path(__file__).parent / "data"


def steps(text, **options):
    """Parse the nodes of a small pipeline."""
    indented = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return parse(f"name: p\nsteps:\n{indented}\n", "p.yaml", **options).steps


def test_miri_detector1():
    document = read(DATA / "miri_detector1.yaml")
    assert document.name == "calwebb_detector1"
    assert document.in_ == {"main": "uncal"}
    assert document.for_.evaluate({"INSTRUME": "MIRI", "stage": 1, "EXP_TYPE": "MIR_IMAGE"})
    names = [node.step for _, node in labelled(document.steps) if isinstance(node, StepNode)]
    assert " ".join(names) == (
        "group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd "
        "dark_current refpix charge_migration jump clean_flicker_noise persistence ramp_fit "
        "gain_scale"
    )
    emicorr, rscd = document.steps[2], document.steps[9]
    assert [(s.param, s.value, str(s.place)) for s in emicorr.settings] == [
        ("skip", True, "miri_detector1.yaml:7")
    ]
    assert rscd.when.describe() == "TSOVISIT is not true"
    each = document.steps[-1]
    assert each.ports == ("rate", "rateints")
    assert each.do[1] == SaveNode("save:{port}", "{port}", each.do[1].place)


def test_nirspec_mos_spec2():
    document = read(DATA / "nirspec_mos_spec2.yaml")
    assert document.in_["imprint"] == "members.imprint"
    assert document.steps[0].on_error == "abandon"
    slits = next(node for node in document.steps if getattr(node, "selector", None))
    (choose,) = slits.do
    assert isinstance(choose, ChooseNode)
    assert [branch.label for branch in choose.branches] == ["msa", "otherwise"]
    assert choose.branches[1].when is ALWAYS
    aside = document.steps[-1]
    assert isinstance(aside, AsideNode)
    assert [node.save for node in aside.do] == [None, "s2d", "x1d"]
    assert ("slits.by_kind", "choose", "msa", "photom") in [p for p, _ in labelled(document.steps)]


def test_spec3():
    document = read(DATA / "spec3.yaml")
    sources = document.steps[-1]
    assert isinstance(sources, EachNode)
    assert (sources.selector, sources.name) == ("sources", "{product}_{source.tag}")
    assert sources.gather == {"x1d": "wfss_multi", "c1d": "wfss_multi"}
    bands = next(node for _, node in labelled(document.steps) if node.label == "bands")
    assert bands.gather == {"spectra": "spectra"}
    combine = sources.do[0].branches[0].do[-1]
    assert (combine.of, combine.to) == ({"main": "x1d"}, {"main": "c1d"})


def test_step_with_everything():
    (node,) = steps("""
- jump:
    as: second_jump
    set: {rejection_threshold: 5, only_use_ints: no, sizes: [1, 2]}
    when: {ngroups: {ge: 3}}
    use: heliodor-other
    of: main
    to: {flagged: main}
    save: jump
    enabled: true
    on_error: skip
""")
    assert node.label == "second_jump"
    assert {s.param: (s.value, s.place.line) for s in node.settings} == {
        "rejection_threshold": (5, 5),
        "only_use_ints": ("no", 5),
        "sizes": ([1, 2], 5),
        "skip": (False, 11),
    }
    assert node.when.describe() == "NGROUPS >= 3"
    assert (node.use, node.of, node.to) == ("heliodor-other", {"main": "main"}, {"flagged": "main"})
    assert (node.save, node.on_error) == ("jump", "skip")


def test_the_other_nodes():
    save, pipeline, choose = steps("""
- {save: cal, when: {stage: 2}, as: first}
- {pipeline: other, when: {stage: 2}}
- choose:
    - when: {stage: 1, tso: true}
      do: [jump]
    - when: {stage: 2}
      do: [jump]
      as: two
""")
    assert (save.label, save.suffix, save.when.describe()) == ("first", "cal", "stage is 2")
    assert isinstance(pipeline, PipelineNode)
    assert pipeline.pipeline == "other"
    assert [branch.label for branch in choose.branches] == ["1", "two"]


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("ramp_fit", "ramp_fit"),
        ("my_steps.py:destripe", "destripe"),
        ("stpipe:jwst.jump.JumpStep", "JumpStep"),
        ("package.module", "module"),
        ("package.module:Name", "Name"),
    ],
)
def test_users_steps_by_name(written, label):
    (node,) = steps(f"- {written}")
    assert (node.step, node.label) == (written, label)


def test_users_files_are_beside_the_document(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: p\nsteps: ['sub/my_steps.py:destripe']")
    (node,) = read(path).steps
    assert node.step == f"{tmp_path}/sub/my_steps.py:destripe"


def test_the_layer_is_remembered():
    (node,) = steps("- jump: {enabled: false, set: {a: 1}}", layer="mode")
    assert {setting.layer for setting in node.settings} == {"mode"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- jump: {sets: {}}", "p.yaml:3: There is no key of the step 'jump'"),
        ("- jump: {rejection_threshold: 5}", "(parameters go under 'set')"),
        ("- jump\n- Jump", "p.yaml:4: 'Jump' is no step"),
        ("- jump: [1]", "p.yaml:3: under 'jump' stands a mapping"),
        ("- jump: {set: 5}", "p.yaml:3: 'set' is a mapping"),
        ("- jump: {enabled: off}", "'enabled' is true or false, not 'off'"),
        ("- jump: {on_error: stop}", "Allowed: abandon, fail, skip."),
        ("- jump: {as: a/b}", "a label is made of letters"),
        ("- jump: {when: {stage: 1}, when: {stage: 2}}", "stands here twice"),
        ("- jump\n  set: {a: 1}", "not YAML"),
        ("- jump:\n  set: {a: 1}", "indented under its name"),
        ("- 5", "p.yaml:3: 5 is no node"),
        ("- jump\n- jump", "p.yaml:4: there is already 'jump', from p.yaml:3; name this one"),
        ("- {save: cal}\n- {save: cal}", "p.yaml:4: there is already 'save:cal'"),
        ("- save: '{prt}'", "is no suffix"),
        ("- save: 'a b'", "is no suffix"),
        ("- save: '{'", "is no suffix"),
        ("- save: '{port}'", "only inside 'each: [ports]'"),
        ("- jump: {save: '{port}'}", "only inside 'each: [ports]'"),
        ("- save: 5", "a suffix is text, not 5"),
        ("- {save: x, set: {a: 1}}", "There is no key of 'save' 'set'"),
        ("- each: [rate]\n  do: [jump]", "p.yaml:3: There is no port 'rate'"),
        ("- ramp_fit: {to: {rate: rate}}\n- jump: {of: rat}", "Did you mean 'rate'?"),
        ("- {save: x, of: rate}", "There is no port 'rate'"),
        ("- each: sources", "'each' needs 'do'"),
        ("- {each: [], do: [jump]}", "the list of ports is empty"),
        ("- {each: slits, do: []}", "at least one"),
        ("- choose: []", "a list of {when, do}"),
        ("- choose: [{when: {stage: 1}}]", "'when' and 'do', or 'otherwise'"),
        ("- choose: [{otherwise: [a]}, {otherwise: [b]}]", "'otherwise' comes last"),
        ("- choose: [{otherwise: [a], do: [b]}]", "There is no key of a branch with 'otherwise'"),
        ("- aside: jump", "a list of nodes"),
        ("- pipeline: [a]", "a pipeline's name is text"),
        ("- jump: {when: {instrment: MIRI}}", "Did you mean 'instrument'?"),
    ],
)
def test_mistakes_in_nodes(text, message):
    with pytest.raises(PipelineError) as error:
        steps(text)
    assert message in str(error.value)
    assert str(error.value).startswith("p.yaml:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.yaml:1: a pipeline document is a mapping"),
        ("[a]", "p.yaml:1: a pipeline document is a mapping"),
        ("name: p", "p.yaml:1: a pipeline document needs 'steps'"),
        ("steps: [jump]", "p.yaml:1: a pipeline document needs 'name'"),
        ("name: p\nstep: [jump]", "p.yaml:2: There is no key of a pipeline document 'step'. Did"),
        ("name: p\nsteps: jump", "p.yaml:2: here stands a list of nodes"),
        ("name: a b\nsteps: [jump]", "p.yaml:1: a pipeline's name is made of"),
        ("name: p\nfor: MIRI\nsteps: [jump]", "p.yaml:2: a condition is a mapping"),
        ("extends: p\nsteps: [jump]", "p.yaml:2: There is no key of an edits file 'steps'"),
        ("extends: p\nedits: {remove: a}", "p.yaml:2: 'edits' is a list"),
    ],
)
def test_mistakes_in_documents(text, message):
    with pytest.raises(PipelineError) as error:
        parse(text, "p.yaml")
    assert str(error.value).startswith(message)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(PipelineError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
    with pytest.raises(PipelineError, match="is not UTF-8"):
        read(tmp_path / "latin.yaml")


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfname: p\nsteps: [jump]")
    assert read(tmp_path / "bom.yaml").name == "p"
