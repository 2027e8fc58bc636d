"""Builds as edits of today's pipeline: the way back, change by change."""

from __future__ import annotations

import sys

import pytest
from heliodor.builds.history import History, sentences
from heliodor.declare import Resource
from heliodor.documents.apply import apply
from heliodor.documents.nodes import StepNode, labelled
from heliodor.documents.parse import parse
from heliodor.errors import PipelineError, PluginError, UsageError
from heliodor.layers import Layered
from heliodor.plugins import Registry

BUILDS = """
about: builds
builds:
  - {name: "3.0", jwst: 3.0.0, status: Candidate, crds: 30}
  - {name: 2.0.1, jwst: 2.0.1, status: Operations, crds: 20}
  - {name: "2.0", jwst: 2.0.0, status: Archived}
  - {name: 1.1.2, jwst: 1.1.2, status: Archived, crds: 11}
  - {name: 1.1.1, jwst: 1.1.1, status: Archived}
  - {name: 1.0.3, jwst: 1.0.3, status: Archived}
"""
CHANGES = """
about: the example
begins: 1.1.0
changes:
  - jwst: never
    kind: behaviour
    step: jump
    what: right
    before: [{set: {jump.wrong: true}}]
  - jwst: 3.0.0
    kind: order
    step: jump
    what: first
    before: [{move: jump, after: fit}]
  - jwst: 2.0.0
    kind: step
    step: clean
    what: new, after jump
    before: [{remove: clean}]
  - jwst: 2.0.1
    kind: default
    step: clean
    what: 7 became 8
    before: [{set: {clean.width: 7}}]
  - jwst: 2.0.0
    kind: default
    step: jump
    what: 4 became 5
    before: [{set: {jump.cut: 4}}]
  - jwst: 1.1.1
    kind: default
    step: jump
    what: 3 became 4
    before: [{set: {jump.cut: 3}}]
  - jwst: 2.0.1
    kind: behaviour
    step: clean
    what: cleaner
    here: new
  - jwst: 2.0.0
    kind: behaviour
    step: fit
    what: fitter
    here: new
    when: {instrument: NIRCAM}
  - jwst: 2.0.0
    kind: behaviour
    step: trap
    what: it ran
    here: new
    ran: true
  - jwst: 2.0.0
    kind: behaviour
    step: elsewhere
    what: not ours
    here: missing
"""
PIPELINE = """
name: calwebb_example
steps:
  - jump
  - clean
  - trap: {enabled: false}
  - fit
"""
NIRCAM = {"INSTRUME": "NIRCAM"}


@pytest.fixture
def offer(plugin, tmp_path, monkeypatch):
    """Make a plugin that offers documents of builds; gives its entry point."""

    def offer(distribution, **texts):
        package = distribution.replace("-", "_") + "_data"
        folder = tmp_path / "data" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text)
        monkeypatch.syspath_prepend(folder.parent)
        monkeypatch.delitem(sys.modules, package, raising=False)  # an earlier test's
        resources = [Resource(package, f"{name}.yaml") for name in texts]
        return plugin(distribution, heliodor_builds=resources)

    return offer


@pytest.fixture
def history(offer):
    return History(Registry([offer("heliodor-example", builds=BUILDS, changes=CHANGES)]))


@pytest.fixture
def pipeline():
    return parse(PIPELINE, "example.yaml", "mode")


def applied(profile, document, *files, order=True):
    return apply(document, profile.edits(document, NIRCAM, order), *files)


def order(document):
    return " ".join(
        node.label for _, node in labelled(document.steps) if isinstance(node, StepNode)
    )


def values(document, step, param):
    """All that is set for a parameter, and by whom, the last counts."""
    (node,) = (node for _, node in labelled(document.steps) if node.label == step)
    return [(s.value, s.layer) for s in node.settings if s.param == param]


def test_hook_heliodor_builds(offer):
    plugins = Registry([offer("heliodor-example", builds=BUILDS)])
    assert [resource.path for resource, _ in plugins.builds] == ["builds.yaml"]
    assert list(History(plugins).builds) == ["3.0", "2.0.1", "2.0", "1.1.2", "1.1.1", "1.0.3"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("2.0.1", "2.0.1"),
        ("2.0", "2.0"),  # a build of that name counts more than the last of the series
        ("1.1", "1.1.2"),
        ("B1.1", "1.1.2"),
        (" b3.0 ", "3.0"),
    ],
)
def test_a_build_is_found(history, name, found):
    assert history.find(name).name == found


@pytest.mark.parametrize(
    ("name", "nearest"), [("1.1.3", "1.1.2"), ("2.0.9", "2.0"), ("13.0", "3.0")]
)
def test_an_unknown_build_is_answered_with_the_nearest(history, name, nearest):
    with pytest.raises(UsageError, match=rf"There is no build '{name}'. Did you mean '{nearest}"):
        history.find(name)


def test_a_number_alone_names_no_build(history):
    with pytest.raises(UsageError, match="There is no build '1'"):
        history.find("1")


def test_the_build_before(history):
    assert history.before(history.find("2.0")).name == "1.1.2"
    assert history.before(history.find("1.0.3")) is None


def test_what_is_new(history):
    found = history.between(history.find("1.1.1"), history.find("2.0"))
    assert [change.what for change in found] == [
        "new, after jump", "4 became 5", "fitter", "it ran", "not ours",
    ]  # fmt: skip
    assert not history.between(history.find("2.0"), history.find("2.0"))


def test_what_is_new_comes_in_the_order_of_releases(history):
    found = history.between(history.find("1.0.3"), history.find("3.0"))
    versions = [change.version for change in found]
    assert versions == sorted(versions)
    assert len(found) == 9  # all but the one that no release has


def test_the_older_is_named_first(history):
    with pytest.raises(UsageError, match=r"2\.0\.1 is newer than 2\.0: name the older first"):
        history.between(history.find("2.0.1"), history.find("2.0"))


@pytest.mark.parametrize(
    ("build", "steps", "cut", "width"),
    [
        ("3.0", "jump clean trap fit", [], []),
        ("2.0.1", "clean trap fit jump", [], []),
        ("2.0", "clean trap fit jump", [], [7]),
        ("1.1", "trap fit jump", [4], None),
        ("1.0.3", "trap fit jump", [4, 3], None),
    ],
)
def test_a_build_is_the_way_back(history, pipeline, build, steps, cut, width):
    edited = applied(history.profile(build), pipeline)
    assert order(edited) == steps
    assert values(edited, "jump", "cut") == [(value, "build profile") for value in cut]
    assert values(edited, "jump", "wrong") == [(True, "build profile")]
    if width is not None:
        assert values(edited, "clean", "width") == [(value, "build profile") for value in width]
    assert order(pipeline) == "jump clean trap fit"  # as it was


def test_edits_of_the_user_come_after(history, pipeline):
    edits = parse(
        "extends: calwebb_example\nedits:\n"
        "  - set: {jump.cut: 9}\n  - move: fit\n    before: trap\n",
        "my.yaml",
        "user file",
    )
    edited = applied(history.profile("1.0.3"), pipeline, edits)
    assert order(edited) == "fit trap jump"
    assert values(edited, "jump", "cut")[-1] == (9, "user file")


def test_an_edit_of_a_step_that_the_build_has_not_says_who_removed_it(history, pipeline):
    edits = parse("extends: calwebb_example\nedits:\n  - set: {clean.width: 9}\n", "my.yaml")
    with pytest.raises(PipelineError, match=r"no 'clean' any more: removed at .*changes\.yaml:19"):
        applied(history.profile("1.1"), pipeline, edits)


def test_a_pipeline_of_ones_own_keeps_its_order(history):
    own = parse(
        "name: calwebb_example\nsteps:\n  - choose:\n      - when: {instrument: NIRCAM}\n"
        "        do: [jump]\n      - otherwise: [fit]\n  - jump: {as: again}\n",
        "own.yaml",
        "pipeline file",
    )
    edited = applied(history.profile("1.0.3"), own, order=False)
    assert order(edited) == "jump fit again"
    cuts = [
        [s.value for s in node.settings if s.param == "cut"]
        for _, node in labelled(edited.steps)
        if getattr(node, "step", "") == "jump"
    ]
    assert cuts == [[4, 3], [4, 3]]


@pytest.mark.parametrize(
    ("build", "running", "said"),
    [
        ("3.0", {"jump", "clean", "fit"}, []),
        ("2.0", {"jump", "clean", "fit"}, ["clean, changed in jwst 2.0.1: cleaner"]),
        ("2.0", {"jump", "fit"}, []),  # what does not run is no concern
        (
            "1.1",
            {"jump", "fit"},
            ["fit, changed in jwst 2.0.0: fitter", "trap, changed in jwst 2.0.0: it ran"],
        ),
        ("1.1", {"jump"}, ["trap, changed in jwst 2.0.0: it ran"]),
    ],
)
def test_what_is_not_reproduced_is_said(history, pipeline, build, running, said):
    by = dict.fromkeys(running, "ours")
    assert list(history.profile(build).lacking(pipeline, NIRCAM, by, ["ours"])) == said


def test_what_changed_in_a_step_that_came_later_is_no_concern(history, pipeline):
    running = dict.fromkeys(("jump", "clean", "fit"), "ours")
    said = history.profile("1.1").lacking(pipeline, {"INSTRUME": "MIRI"}, running, ["ours"])
    assert said == ("trap, changed in jwst 2.0.0: it ran",)


def test_a_strangers_step_is_said_to_be_one(history, pipeline):
    running = {"jump": "ours", "fit": "stranger", "inserted": "stranger"}
    assert history.profile("1.1").lacking(pipeline, NIRCAM, running, ["ours"]) == (
        "trap, changed in jwst 2.0.0: it ran",
        "fit: stranger does it, whose builds are not on record",
    )


def test_what_no_plan_reproduces_is_said(history):
    (context,) = sentences(history.profile("1.1"), False, ())
    assert context.startswith("jwst_0011.pmap: CRDS is not set up")
    (context,) = sentences(history.profile("1.1"), False, ["jwst_0012.pmap"])
    assert context == "jwst_0011.pmap: references are chosen by jwst_0012.pmap"
    (context,) = sentences(history.profile("1.1"), False, ["jwst_0011.pmap"])
    assert context.startswith("jwst_0011.pmap: not of all products")
    own, old = sentences(history.profile("1.0.3"), True, ())
    assert "the order of steps" in own
    assert old == "the example: on record from jwst 1.1.0 on"


def test_parameters_of_a_step_that_the_build_has_not_are_refused(history, pipeline):
    profile = history.profile("1.1")
    layers = Layered()
    layers.add_argument("clean.width=9")
    left = order(applied(profile, pipeline)).split()
    with pytest.raises(
        UsageError, match=r"clean.width \(command line, -p\): build 1.1.2 has no clean"
    ):
        profile.refuse_absent(layers.given, left, pipeline)
    profile.refuse_absent([], left, pipeline)


def test_only_trusted_distributions_change_a_pipeline(offer, pipeline):
    points = [
        offer("heliodor-example", builds=BUILDS, changes=CHANGES),
        offer("stranger", changes=CHANGES.replace("jump.wrong", "fit.wrong")),
    ]
    history = History(Registry(points))
    edited = applied(history.profile("3.0", {"heliodor-example"}), pipeline)
    assert values(edited, "jump", "wrong")
    assert not values(edited, "fit", "wrong")
    assert len(history.profile("3.0").changes) == 2


def test_the_order_of_plugins_decides_nothing(offer):
    points = [offer("alpha", builds=BUILDS), offer("beta", changes=CHANGES)]
    first, second = (
        History(Registry(many)).profile("1.1").changes for many in (points, points[::-1])
    )
    assert first == second


def test_two_that_declare_one_build_are_named(offer):
    points = [offer("alpha", builds=BUILDS), offer("beta", builds=BUILDS)]
    with pytest.raises(PluginError, match=r"build 3\.0 is declared by alpha and by beta"):
        History(Registry(points))


def test_a_broken_document_is_named(offer):
    with pytest.raises(
        PipelineError, match=r"stranger_data/builds\.yaml:1: There is no key of a doc"
    ):
        History(Registry([offer("stranger", builds="biulds: []")]))
