"""The conformance kit finds what does not hold, and says so."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import heliodor.testing
import numpy as np
import pytest
from heliodor.conformance import check_plugin
from heliodor.data import Product
from heliodor.declare import (
    Command,
    Match,
    Member,
    ModeSpec,
    Note,
    Output,
    Part,
    Phase,
    ReferenceType,
    RefNeed,
    Resource,
    RuleSpec,
    Scheme,
    SelectorSpec,
    StepSpec,
    TransformSpec,
)
from heliodor.errors import PluginError
from heliodor.hookspecs import hookimpl
from heliodor.params import Params, parameter
from heliodor.references.selectors import Found, Unknown
from heliodor.step import Skipped, Step, step
from heliodor.testing import conformance, made_up_image, made_up_ramp

# ------------------------------------------------------------------ steps


@step(looks="frame", writes="data")
def good(data, groupdq, *, level: float = 1.0):
    """Subtract a level.

    Parameters
    ----------
    level : float [DN]
        What is subtracted.
    """
    data[groupdq == 0] -= level


@step(looks="frame", writes="data", takes="image")
def good_image(data, *, level: float = 1.0):
    """Subtract a level.

    Parameters
    ----------
    level : float [DN/s]
        What is subtracted.
    """
    data -= level


@step(looks="ramp", writes="data")
def with_gain(data, gain):
    """Multiply by the gain."""
    data *= gain


@pytest.mark.parametrize("function", [good, good_image])
def test_what_holds(function):
    conformance(function)
    conformance(function.Step.spec, level=3)


def test_references_are_asked_for():
    with pytest.raises(AssertionError, match="with_gain needs a gain reference: give one"):
        conformance(with_gain)
    conformance(with_gain, references={"gain": np.full((130, 96), 2.0, np.float32)})


@step(looks="frame", writes="data")
def undocumented(data, *, level: float = 1.0):
    data -= level


@step(looks="frame", writes=("data", "groupdq"))
def clears(data, groupdq):
    """Forget about jumps."""
    groupdq &= 0xFB


@step(looks="frame", writes="data")
def leaves_out(data):
    """Do nothing."""
    return Skipped("no reason")


@step(looks="frame", writes="data")
def takes_much(data):
    """Take memory."""
    return data + np.zeros(6_000_000 // 8)[:1]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (undocumented, "has no docstring.*its parameter level is not described"),
        (clears, r"groupdq has lost JUMP_DET: is that meant \(may_clear\)"),
        (leaves_out, "on this exposure it has not run: no reason"),
        (takes_much, r"it takes 6\.\d MB of memory beside its input; what it declares"),
    ],
)
def test_a_function_that_does_not_hold(function, said):
    with pytest.raises(AssertionError, match=rf"(?s)^{function.__name__}:\n.*{said}"):
        conformance(function)


def test_bits_that_are_cleared_on_purpose():
    conformance(clears, may_clear=["JUMP_DET"])


class Wrong(Step[Params]):
    """Does what its phase names, which is wrong."""

    def undeclared(self, ramp, piece):
        ramp.groupdq[piece.integration, piece.group] |= 1

    def shape(self, ramp, piece):
        pass

    def not_contiguous(self, ramp, piece):
        ramp.data = np.asfortranarray(ramp.data)

    def widens(self, ramp, piece):
        ramp.data = ramp.data.astype(np.float64)

    def by_strip(self, ramp, piece):
        ramp.data[:, :, piece.rows] += piece.row_start

    def unit(self, product):
        product.unit = "MJy/sr"

    def undeclared_plane(self, product):
        product.planes["err"] *= 2

    def loses(self, product):
        del product.planes["var_rnoise"]

    def makes(self, ramp, piece):
        pass

    def finish(self, data):
        if self.params.skip:
            swapped = np.zeros((130, 96), ">f4")
            return {"map": Product("map", "ImageModel", {"data": swapped}, data.keywords, "")}
        return None


def wrong(phase: str, looks: Any = "frame", **more: Any) -> StepSpec:
    return StepSpec(
        "wrong", f"{__name__}:Wrong", "heliodor.params:Params", "Wrong.", "S_WRONG",
        **{"phases": (Phase(phase, looks, ("data",)),), "prepare_reads": (), **more},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (wrong("undeclared"), "groupdq has changed, but its phases do not declare"),
        (wrong("widens", "exposure"), "data is float64, not C-contiguous float32"),
        (wrong("not_contiguous", "exposure"), "data is float32, not C-contiguous float32"),
        (wrong("by_strip", "pixels"), "differs from one thread and 1 row: data"),
        (wrong("unit", "exposure", takes="image"), "its unit is MJy/sr, not DN/s"),
        (wrong("undeclared_plane", "exposure", takes="image"), "err has changed, but its phases"),
        (wrong("loses", "exposure", takes="image"), "var_rnoise is gone"),
        (wrong("nothing"), "its phase nothing is not a method of .*:Wrong"),
    ],
)
def test_a_class_that_does_not_hold(spec, said):
    with pytest.raises(AssertionError, match=f"(?s){said}"):
        conformance(spec)


def test_products_are_looked_at():
    spec = wrong("makes", makes=(Output("map"),))
    with pytest.raises(AssertionError) as error:
        conformance(spec, skip=True)
    assert "map: it has no unit" in str(error.value)
    assert "map: data is not a native C-contiguous array" in str(error.value)


def test_the_exposure_is_not_changed():
    ramp = made_up_ramp()
    before = ramp.data.copy()
    conformance(good, ramp)
    np.testing.assert_array_equal(ramp.data, before)


def test_made_up_exposures_have_something_to_find():
    ramp, image = made_up_ramp(), made_up_image((2, 130, 96))
    assert 0 < (ramp.groupdq > 0).mean() < 0.5
    assert ramp.pixeldq.any()
    assert np.isnan(ramp.data).sum() == 1
    assert image.model == "CubeModel"
    assert np.isnan(image.planes["data"][image.planes["dq"] > 0]).all()
    np.testing.assert_array_equal(made_up_ramp().data, ramp.data)


# ------------------------------------------------------------------ plugins


@pytest.fixture
def offering(tmp_path, monkeypatch):
    """Write a module that declares records; they are handed over by name."""

    def make(hook: str, *records: Any, head: str = "") -> ModuleType:
        path = tmp_path / "made_up_plugin.py"
        path.write_text(
            f"{head}\nfrom heliodor.hookspecs import hookimpl\nRECORDS = []\n"
            f"@hookimpl\ndef heliodor_{hook}():\n    return RECORDS\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        spec = importlib.util.spec_from_file_location("made_up_plugin", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "made_up_plugin", module)
        spec.loader.exec_module(module)
        module.RECORDS.extend(records)
        return module

    return make


class Careless:
    def __init__(self, sources):
        pass

    def select(self, wanted, keywords):
        return {need.type: Unknown("") for need in wanted}


class Generous(Careless):
    def select(self, wanted, keywords):
        return {need.type: Found("file", "because") for need in wanted}


class Empty(Params):
    """Parameters with a fault."""

    level: float = parameter(1.0, "")


def step_spec(**more: Any) -> StepSpec:
    given = {"impl": f"{__name__}:Wrong", "params": "heliodor.params:Params", "summary": "Wrong."}
    return StepSpec(**{"name": "x", "status": "S_X", **given, **more})


MODE = ModeSpec("z-a", "", "Z", Match({"INSTRUME": ("Z",)}), {1: "p"})
RULE = RuleSpec(
    "r", 3, "image3", "p", (Member("science", Match(), True),), ("FILTER",), "a{FILTER}"
)


@pytest.mark.parametrize(
    ("hook", "record", "said"),
    [
        ("steps", step_spec(), ""),
        ("steps", step_spec(impl="heliodor.data:Ramp"), "heliodor.data:Ramp is not a class of st"),
        ("steps", step_spec(params="heliodor.data:Ramp"), "Ramp is not a class of parameters"),
        ("steps", step_spec(params=f"{__name__}:Empty"), "parameter level is not described"),
        ("steps", step_spec(summary=""), "it has no summary"),
        ("steps", step_spec(phases=(Phase("none", "frame"),)), "phase none is not a method"),
        ("modes", MODE, ""),
        ("modes", ModeSpec("z-b", "", "Z", Match(), {1: "p"}), "its match lacks INSTRUME"),
        ("modes", ModeSpec("z-b", "", "Z", Match({"INSTRUME": ("Z",)})), "it has no pipeline"),
        ("rules", RULE, ""),
        ("rules", RuleSpec("r", 4, "", "p", RULE.members), "its level is 2 or 3, not 4"),
        ("rules", RuleSpec("r", 3, "", "p", ()), "no member is required"),
        ("rules", RuleSpec("r", 3, "", "p", RULE.members, (), "a{PUPIL}"), "has PUPIL, which"),
        ("selectors", SelectorSpec("s", 55, f"{__name__}:Careless"), "not Found, NotApplicable"),
        ("selectors", SelectorSpec("s", 55, f"{__name__}:Generous"), "for a type that nobody has"),
        ("pipelines", Resource("heliodor", "no.yaml"), "there is no no.yaml in heliodor"),
        ("builds", Resource("heliodor", "no.yaml"), "there is no no.yaml in heliodor"),
        ("schemes", Scheme("c", "help", "heliodor.nowhere:resolve"), "cannot be loaded"),
        ("reference_types", ReferenceType("t", (Part("SCI", "yx|nyx", units=("DN",)),)), ""),
        ("reference_types", ReferenceType("T", ()), "its type 'T' is not in small letters"),
        ("reference_types", ReferenceType("t", (Part("A", "yx", ("b",)),)), "an array or a table"),
        ("reference_types", ReferenceType("t", (Part("A", "2x"),)), "are a letter each, '2x' is"),
        ("reference_types", ReferenceType("t", (Part("A", "x", units=("e",)),)), "capital letters"),
        ("transforms", TransformSpec("t", ("gain",), "heliodor.testing:run_step"), ""),
        ("transforms", TransformSpec("t", ("gain",), "heliodor.bits:GROUP"), "needs the types"),
        ("commands", Command("c", "", "heliodor.testing:run_step"), "needs a line of help"),
    ],
)
def test_what_a_plugin_declares_is_there(offering, hook, record, said):
    module = offering(hook, record)
    if not said:
        conformance(module)
        return
    with pytest.raises(AssertionError, match=rf"(?s)^made_up_plugin==\w+ .*{said}"):
        conformance(module)


def test_modes_for_the_same_exposures(offering):
    other = ModeSpec("z-b", "", "Z", Match({"INSTRUME": ("Z",)}), {1: "p"})
    with pytest.raises(AssertionError, match=r"z-b of made_up_plugin.* is for the same exposures"):
        conformance(offering("modes", MODE, other))


def test_a_declaration_is_light(offering):
    with pytest.raises(AssertionError, match="declaring it imports astropy, numpy"):
        conformance(offering("steps", step_spec(), head="import astropy.io.fits"))


def test_a_plugin_that_fails_or_declares_nothing(offering):
    with pytest.raises(AssertionError, match=r"cannot be declared: PluginError: .* not a StepSpec"):
        conformance(offering("steps", "x"))
    module = ModuleType("nothing_at_all")
    sys.modules["nothing_at_all"] = module
    with pytest.raises(AssertionError, match="it declares nothing"):
        check_plugin(module)
    module.run_finished = hookimpl(lambda result: None)
    with pytest.raises(AssertionError, match="cannot be imported by itself"):
        check_plugin(module)


def test_an_installed_plugin_is_named():
    with pytest.raises(PluginError, match=r"no plugin 'detecter'\. Did you mean 'detector'"):
        conformance("detecter")


def test_notes_and_references_are_part_of_the_claim():
    spec = wrong("shape", phases=(Phase("shape", "frame", notes=(Note("all", "igyx"),)),))
    assert heliodor.testing.run_step(spec, made_up_ramp()).status == "COMPLETE"
    conformance(spec)
    conformance(wrong("shape", refs=(RefNeed("gain", optional=True),)))
