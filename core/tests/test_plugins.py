"""Finding plugins, refusing broken ones, choosing between implementations."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from importlib import metadata

import pytest
from heliodor import plugins
from heliodor.declare import (
    Command,
    Instrument,
    Match,
    ModeSpec,
    Part,
    ReferenceType,
    Resource,
    RuleSpec,
    Scheme,
    SelectorSpec,
    StepSpec,
    TransformSpec,
)
from heliodor.errors import PluginError, UsageError
from heliodor.plugins import Registry


def step(name: str = "jump", status: str = "S_JUMP", **keywords: tuple[str, ...]) -> StepSpec:
    return StepSpec(
        name=name,
        impl="nowhere:Step",
        params="nowhere:Params",
        summary="Do nothing.",
        status=status,
        applies=Match(keywords),
    )


def mode(name: str = "x-imaging", exp_type: str = "X_IMAGE", **more: tuple[str, ...]) -> ModeSpec:
    return ModeSpec(
        name, "imaging", "X", Match({"INSTRUME": ("X",), "EXP_TYPE": (exp_type,), **more})
    )


# ------------------------------------------------------------------ three states


def test_a_listed_plugin_becomes_declared_without_loading_its_steps(plugin):
    found = Registry([plugin("heliodor-x", heliodor_steps=[step()])])
    (only,) = found.plugins
    assert (only.state, only.error) == ("declared", "")
    assert "nowhere" not in sys.modules
    assert [offer.spec.name for offer in found.offers("jump")] == ["jump"]


def test_a_plugin_is_listed_before_anything_is_imported(install):
    point = install("heliodor-x", "no_such_module_anywhere")
    assert [plugin.state for plugin in plugins.listed([point])] == ["listed"]


def test_plugins_come_in_the_order_of_their_distributions(plugin):
    points = [plugin("heliodor-b"), plugin("heliodor-c"), plugin("heliodor-a")]
    assert [p.distribution for p in Registry(points).plugins] == [
        "heliodor-a",
        "heliodor-b",
        "heliodor-c",
    ]


def test_a_record_knows_its_owner(plugin):
    spec = step()
    found = Registry([plugin("heliodor-a"), plugin("heliodor-x", heliodor_steps=[spec])])
    assert found.owner(spec).distribution == "heliodor-x"
    with pytest.raises(PluginError, match="not declared by any plugin"):
        found.owner(step())


# ------------------------------------------------------------------ broken plugins


def fails(*args):
    raise RuntimeError("out of beryllium")


@pytest.mark.parametrize(
    ("hooks", "cause"),
    [
        ({"heliodor_steps": fails}, "RuntimeError: out of beryllium"),
        ({"heliodor_steps": ["jump"]}, "returned 'jump', not a StepSpec"),
        ({"heliodor_steps": None}, "NoneType"),
        ({"heliodor_modes": [step()]}, "not a ModeSpec"),
        ({"heliodor_steps": [step(status="S_TOOLONG")]}, "status keyword 'S_TOOLONG'"),
        ({"heliodor_steps": [step(status="s_jump")]}, "status keyword 's_jump'"),
        ({"heliodor_steps": [step(status="")]}, "status keyword ''"),
        ({"heliodor_stepz": [step()]}, "heliodor_stepz"),
        ({"heliodor_steps": lambda exposure: [step()]}, "exposure"),
    ],
)
def test_a_broken_plugin_is_named_with_version_and_cause_and_the_rest_go_on(plugin, hooks, cause):
    bad = plugin("heliodor-bad", version="2.7", **hooks)
    found = Registry([bad, plugin("heliodor-good", heliodor_steps=[step("refpix", "S_REFPIX")])])
    (failed,) = found.failed
    assert str(failed) == "heliodor-bad==2.7 (bad)"
    assert cause in failed.error
    assert list(found.steps) == ["refpix"]


def test_the_sources_of_an_editable_install_are_gone(install, plugin):
    gone = install("heliodor-gone", "no_such_module_anywhere.plugin")
    found = Registry([gone, plugin("heliodor-good", heliodor_modes=[mode()])])
    assert [p.distribution for p in found.failed] == ["heliodor-gone"]
    assert "ModuleNotFoundError" in found.failed[0].error
    assert list(found.modes) == ["x-imaging"]


def test_a_module_that_raises_on_import(tmp_path, install, monkeypatch):
    (tmp_path / "bad_on_import.py").write_text("raise OSError('no licence server')\n")
    monkeypatch.syspath_prepend(tmp_path)
    (failed,) = Registry([install("heliodor-bad", "bad_on_import")]).failed
    assert failed.error == "OSError: no licence server"


def test_a_hook_without_its_mark_is_an_error_not_silence(tmp_path, install, monkeypatch):
    (tmp_path / "without_mark.py").write_text("def heliodor_steps():\n    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    (failed,) = Registry([install("heliodor-bad", "without_mark")]).failed
    assert "heliodor_steps is not marked with @hookimpl" in failed.error


def test_nothing_of_a_plugin_that_failed_late_stays(plugin):
    seen = []
    found = Registry(
        [
            plugin(
                "heliodor-bad",
                heliodor_steps=[step()],
                heliodor_modes=fails,
                run_finished=lambda result: seen.append(result is None),
            )
        ]
    )
    found.notify("run_finished", result=None)
    assert found.steps == {}
    assert seen == []


def test_two_entry_points_of_one_name(plugin):
    first = plugin("heliodor-a", "same", heliodor_steps=[step()])
    second = plugin("heliodor-b", "same", heliodor_steps=[step("refpix", "S_REFPIX")])
    found = Registry([first, second])
    assert [p.state for p in found.plugins] == ["declared", "declared"]
    assert sorted(found.steps) == ["jump", "refpix"]


def test_a_missing_step_is_told_with_the_plugins_that_failed(plugin):
    found = Registry(
        [
            plugin("heliodor-bad", heliodor_steps=fails),
            plugin("heliodor-good", heliodor_steps=[step()]),
        ]
    )
    with pytest.raises(
        UsageError, match=r"(?s)Did you mean 'jump'.*Not working: heliodor-bad==1.0"
    ):
        found.offers("jmp")


# ------------------------------------------------------------------ conflicts


def test_modes_of_one_name_fail_both_plugins_and_name_them(plugin):
    found = Registry(
        [
            plugin("heliodor-a", heliodor_modes=[mode()], heliodor_steps=[step()]),
            plugin("heliodor-b", heliodor_modes=[mode()]),
            plugin("heliodor-c", heliodor_modes=[mode("y-imaging")]),
        ]
    )
    assert [p.distribution for p in found.failed] == ["heliodor-a", "heliodor-b"]
    for failed in found.failed:
        assert "name 'x-imaging'" in failed.error
        assert "heliodor-a==1.0" in failed.error
        assert "heliodor-b==1.0" in failed.error
    assert list(found.modes) == ["y-imaging"]
    assert found.steps == {}


def test_nothing_displaces_a_selector_of_the_core(plugin):
    installed = metadata.entry_points(group="heliodor")
    (core,) = [point for point in installed if point.value == "heliodor.builtin"]
    rival = plugin("aaa", heliodor_selectors=[SelectorSpec("mine", 100, "nowhere:Mine")])
    found = Registry([core, rival])
    assert [p.distribution for p in found.failed] == ["aaa"]
    assert "rank 100" in found.failed[0].error
    assert [spec.name for spec in found.selectors] == ["override", "folder", "embedded"]


def test_selectors_are_sorted_by_rank(plugin):
    found = Registry(
        [
            plugin("heliodor-a", heliodor_selectors=[SelectorSpec("late", 500, "n:L")]),
            plugin("heliodor-b", heliodor_selectors=[SelectorSpec("soon", 50, "n:S")]),
        ]
    )
    assert [spec.name for spec in found.selectors] == ["soon", "late"]


def test_pipelines_of_one_name_may_come_from_several(plugin):
    ours, theirs = Resource("ours", "detector1.yaml"), Resource("theirs", "detector1.yaml")
    found = Registry(
        [
            plugin("heliodor-a", heliodor_pipelines=[ours]),
            plugin("heliodor-b", heliodor_pipelines=[theirs]),
        ]
    )
    assert [(r, p.distribution) for r, p in found.pipelines] == [
        (ours, "heliodor-a"),
        (theirs, "heliodor-b"),
    ]


# ------------------------------------------------------------------ steps by scheme


def resolve(rest, instead_of):
    """Resolve a name of a made-up scheme; the summary says how it was called."""
    name = instead_of.name if instead_of else f"made:{rest}"
    return replace(step(name), summary=rest)


MADE = Scheme("made", "anything", f"{__name__}:resolve")


@pytest.fixture
def made(plugin, monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    return Registry(
        [
            plugin("heliodor-made", heliodor_schemes=[MADE]),
            plugin("heliodor-detector", heliodor_steps=[step()]),
        ]
    )


def test_a_name_with_a_scheme_is_resolved_by_its_plugin(made):
    for offer in (made.choose("made:x.Y", {}, ()), *made.offers("made:x.Y")):
        assert (offer.spec.name, offer.spec.summary) == ("made:x.Y", "x.Y")
        assert offer.plugin.distribution == "heliodor-made"


def test_a_step_of_a_scheme_stands_in_for_a_declared_one(made):
    offer = made.choose("jump", {}, ["heliodor-detector"], use="made:x.Y")
    assert (offer.spec.name, offer.spec.summary) == ("jump", "x.Y")
    assert made.choose("jump", {}, ["heliodor-detector"]).spec.summary == "Do nothing."


def test_an_unknown_scheme_names_the_nearest_and_a_package(made):
    with pytest.raises(UsageError, match=r"Did you mean 'made'.*pip install heliodor-maid"):
        made.offers("maid:x.Y")


def test_schemes_of_one_name_fail_both_plugins(plugin):
    found = Registry([plugin(f"heliodor-{name}", heliodor_schemes=[MADE]) for name in "ab"])
    assert [p.distribution for p in found.failed] == ["heliodor-a", "heliodor-b"]
    assert not found.schemes


# ------------------------------------------------------------------ which implementation

NEAR = {"INSTRUME": "NIRSPEC", "READPATT": "NRSRAPID"}
IRS2 = {"INSTRUME": "NIRSPEC", "READPATT": "NRSIRS2"}


def test_the_most_specific_of_trusted_ones_is_chosen(plugin):
    found = Registry(
        [
            plugin("heliodor-detector", heliodor_steps=[step("refpix", "S_REFPIX")]),
            plugin(
                "heliodor-x",
                heliodor_steps=[
                    step("refpix", "S_REFPIX", INSTRUME=("NIRSPEC",), READPATT=("NRSIRS2",))
                ],
            ),
        ]
    )
    trusted = ("heliodor-x", "heliodor-detector")
    assert found.choose("refpix", IRS2, trusted).plugin.distribution == "heliodor-x"
    assert found.choose("refpix", NEAR, trusted).plugin.distribution == "heliodor-detector"


def test_a_tie_names_both_distributions(plugin):
    found = Registry(
        [
            plugin("heliodor-a", heliodor_steps=[step(INSTRUME=("NIRSPEC",))]),
            plugin("heliodor-b", heliodor_steps=[step(READPATT=("NRSRAPID",))]),
        ]
    )
    with pytest.raises(PluginError, match=r"heliodor-a==1.0 .* and by heliodor-b==1.0 .*use: "):
        found.choose("jump", NEAR, ("heliodor-a", "heliodor-b"))


@pytest.fixture
def with_stranger(plugin):
    return Registry(
        [
            plugin("heliodor-detector", heliodor_steps=[step(INSTRUME=("NIRSPEC", "MIRI"))]),
            plugin("stranger", heliodor_steps=[step(INSTRUME=("NIRSPEC",))]),
            plugin("other", heliodor_steps=[step("snowblind", "S_SNOWBL")]),
        ]
    )


def test_a_strangers_better_fit_is_not_taken_by_itself(with_stranger):
    chosen = with_stranger.choose("jump", NEAR, ("heliodor-detector",))
    assert chosen.plugin.distribution == "heliodor-detector"


def test_a_strangers_is_taken_when_asked_for(with_stranger):
    chosen = with_stranger.choose("jump", NEAR, ("heliodor-detector",), use="stranger")
    assert chosen.plugin.distribution == "stranger"


def test_a_stranger_does_not_step_in_where_the_trusted_does_not_apply(plugin):
    found = Registry(
        [
            plugin("heliodor-detector", heliodor_steps=[step(INSTRUME=("MIRI",))]),
            plugin("stranger", heliodor_steps=[step()]),
        ]
    )
    with pytest.raises(UsageError, match=r"heliodor-detector==1.0 .*MIRI.*stranger==1.0 .*use:"):
        found.choose("jump", NEAR, ("heliodor-detector",))


def test_a_step_that_only_a_stranger_offers_is_his(with_stranger):
    chosen = with_stranger.choose("snowblind", NEAR, ("heliodor-detector",))
    assert chosen.plugin.distribution == "other"


def test_two_strangers_are_a_tie_even_if_one_fits_better(plugin):
    found = Registry(
        [
            plugin("first", heliodor_steps=[step("destripe", "S_DESTR")]),
            plugin("second", heliodor_steps=[step("destripe", "S_DESTR", INSTRUME=("NIRSPEC",))]),
        ]
    )
    with pytest.raises(PluginError, match=r"first==1.0 .* and by second==1.0"):
        found.choose("destripe", NEAR, ("heliodor-detector",))


def test_use_of_an_unknown_distribution_gets_the_nearest(with_stranger):
    with pytest.raises(UsageError, match="Did you mean 'stranger'"):
        with_stranger.choose("jump", NEAR, (), use="strangr")


# ------------------------------------------------------------------ recognising modes


def test_the_most_specific_mode_is_recognised(plugin):
    general, special = mode(), mode("x-irs2", READPATT=("NRSIRS2",))
    found = Registry([plugin("heliodor-x", heliodor_modes=[general, special])])
    exposure = {"INSTRUME": "X", "EXP_TYPE": "x_image"}
    assert found.recognise(exposure) is general
    assert found.recognise({**exposure, "READPATT": "NRSIRS2"}) is special


def test_two_modes_that_claim_an_exposure_are_named(plugin):
    found = Registry(
        [
            plugin("heliodor-a", heliodor_modes=[mode("x-a")]),
            plugin("heliodor-b", heliodor_modes=[mode("x-b")]),
        ]
    )
    with pytest.raises(PluginError, match=r"x-a of heliodor-a==1.0 .* and x-b of heliodor-b==1.0"):
        found.recognise({"INSTRUME": "X", "EXP_TYPE": "X_IMAGE"})


def test_an_instrument_that_is_not_installed_is_told_by_its_package(plugin):
    found = Registry([plugin("heliodor-x", heliodor_modes=[mode()])])
    with pytest.raises(UsageError, match=r"pip install heliodor-miri.*Installed: X"):
        found.recognise({"INSTRUME": "MIRI", "EXP_TYPE": "MIR_IMAGE"})
    with pytest.raises(UsageError, match="No mode of X has EXP_TYPE X_DARK"):
        found.recognise({"INSTRUME": "X", "EXP_TYPE": "X_DARK"})


# ------------------------------------------------------------------ the environment


def test_heliodor_plugins_restricts_but_the_core_stays(plugin, monkeypatch):
    plugin("heliodor-wanted")
    plugin("heliodor-unwanted")
    monkeypatch.setenv("HELIODOR_PLUGINS", "wanted")
    names = [p.name for p in plugins.registry.__wrapped__().plugins]
    assert names == ["core", "wanted"]
    monkeypatch.setenv("HELIODOR_PLUGINS", "")
    assert [p.name for p in plugins.registry.__wrapped__().plugins] == ["core"]


def test_a_strangers_core_is_not_the_core(plugin, monkeypatch):
    plugin("aaa", "core", heliodor_steps=[step()])
    monkeypatch.setenv("HELIODOR_PLUGINS", "")
    assert [p.key for p in plugins.registry.__wrapped__().plugins] == ["heliodor:core"]


def test_installed_entry_points_are_found(plugin, monkeypatch):
    plugin("heliodor-found", heliodor_steps=[step("found_step", "S_FOUND")])
    monkeypatch.delenv("HELIODOR_PLUGINS", raising=False)
    assert "found_step" in plugins.registry.__wrapped__().steps


def test_hook_calls_are_traced_when_asked(plugin, monkeypatch, capsys):
    monkeypatch.setenv("HELIODOR_TRACE_HOOKS", "1")
    steps = (step(name) for name in ("a", "b"))
    found = Registry(
        [plugin("heliodor-x", heliodor_steps=lambda: steps, run_finished=lambda result: None)]
    )
    assert found.notify("run_finished", result=None) == []
    said = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"hook heliodor_steps of heliodor-x==1\.0 \(x\): 2 records, \d+\.\d\d ms", said[0]
    )
    assert said[1].startswith("hook run_finished of heliodor-x==1.0 (x): done, ")


# ------------------------------------------------------------------ every declaring hook


def declared_by(plugin, hook, *records):
    """What a registry holds of one plugin that returns `records` from `hook`."""
    (only,) = Registry([plugin("heliodor-x", **{hook: lambda: iter(records)})]).plugins
    assert only.error == ""
    return only.records[hook]


def test_hook_heliodor_steps(plugin):
    spec = step("ramp_fit", "S_RAMP")
    found = Registry([plugin("heliodor-x", heliodor_steps=[spec])])
    assert found.offers("ramp_fit")[0].spec is spec


def test_hook_heliodor_modes(plugin):
    x = Instrument("X", "X", providers=("heliodor-detector",))
    spec = x.mode("imaging", "imaging", ("X_IMAGE",), ("calwebb_detector1",))
    found = Registry([plugin("heliodor-x", heliodor_modes=[spec])])
    assert found.recognise({"INSTRUME": "X", "EXP_TYPE": "X_IMAGE"}) is spec


def test_hook_heliodor_rules(plugin):
    rule = RuleSpec("Asn_Lv3Image", 3, "image3", "calwebb_image3", ())
    found = Registry([plugin("heliodor-x", heliodor_rules=[rule])])
    assert found.rules == {"Asn_Lv3Image": rule}


def test_hook_heliodor_selectors(plugin):
    spec = SelectorSpec("shelf", 200, "nowhere:Shelf")
    assert Registry([plugin("heliodor-x", heliodor_selectors=[spec])]).selectors == [spec]


def test_hook_heliodor_pipelines(plugin):
    resource = Resource("heliodor_x", "pipelines/detector1.yaml")
    assert declared_by(plugin, "heliodor_pipelines", resource) == (resource,)


def test_selectors_of_one_rank_for_other_types(plugin):
    points = [
        plugin("heliodor-a", heliodor_selectors=[SelectorSpec("a", 200, "n:A", ("wisp",))]),
        plugin("heliodor-b", heliodor_selectors=[SelectorSpec("b", 200, "n:B", ("flat", "sky"))]),
    ]
    assert not Registry(points).failed
    points.append(
        plugin("heliodor-c", heliodor_selectors=[SelectorSpec("c", 200, "n:C", ("sky",))])
    )
    assert [failed.name for failed in Registry(points).failed] == ["b", "c"]
    points.append(plugin("heliodor-d", heliodor_selectors=[SelectorSpec("d", 200, "n:D")]))
    assert [failed.name for failed in Registry(points).failed] == ["a", "b", "c", "d"]


def test_hook_heliodor_reference_types(plugin):
    kind = ReferenceType("wisp", (Part("SCI", "yx"),))
    found = Registry([plugin("heliodor-x", heliodor_reference_types=[kind])])
    assert found.reference_types == [kind]


def test_hook_heliodor_transforms(plugin):
    spec = TransformSpec("extend", ("wavelengthrange",), "nowhere:extend")
    assert Registry([plugin("heliodor-x", heliodor_transforms=[spec])]).transforms == {
        "extend": spec
    }


def test_hook_heliodor_schemes(plugin):
    scheme = Scheme("stpipe", "a Step by its class", "nowhere:resolve")
    found = Registry([plugin("heliodor-x", heliodor_schemes=[scheme])])
    assert found.schemes == {"stpipe": scheme}


def test_hook_heliodor_commands(plugin):
    command = Command("ponder", "Think.", "nowhere:configure")
    found = Registry([plugin("heliodor-x", heliodor_commands=[command])])
    assert found.commands == {"ponder": command}


def test_a_hook_may_be_a_generator(plugin):
    def heliodor_steps():
        yield step()
        yield step("linearity", "S_LINEAR")

    found = Registry([plugin("heliodor-x", heliodor_steps=heliodor_steps)])
    assert sorted(found.steps) == ["jump", "linearity"]
