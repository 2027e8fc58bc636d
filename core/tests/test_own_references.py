"""References of one's own: found by a selector, changed by a plugin, made by the run itself."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor import plugins
from heliodor.api import plan, run_all
from heliodor.data import PLAIN, Product
from heliodor.declare import Output, Phase, RefNeed, SelectorSpec, StepSpec, TransformSpec
from heliodor.errors import PipelineError, ReferenceError
from heliodor.params import Params
from heliodor.references.selectors import Found, Unknown
from heliodor.step import Step

PIPELINE = """
name: made_up_detector1
for: {stage: 1, instrument: X}
in: uncal
steps:
  - subtract
  - save: ramp
"""
DERIVE = """
- insert: {derive: {to: {template: sky}}}
  before: subtract
- reference: template
  from: sky
"""


class Subtract(Step[Params]):
    """Subtracts a template."""

    def prepare(self, ramp, refs):
        self.template = refs["template"].plane()

    def subtract(self, ramp, piece):
        ramp.data[piece.integration] -= self.template


class Again(Subtract):
    """Calls the former."""

    def prepare(self, ramp, refs):
        self.template = ramp.data[0, 0] - self.call("subtract", ramp).data[0, 0]


class Derive(Step[Params]):
    """Makes a template of all exposures."""

    def derive(self, members):
        sky = np.mean([member.data.data.min() for member in members])
        for member in members:
            planes = {"sci": np.full(member.data.shape[2:], sky, np.float32)}
            member.products["template"] = Product(
                "template", PLAIN, planes, member.data.keywords.copy()
            )


class Packaged:
    """Finds the template beside this file, in what would be a package."""

    path = Path()

    def __init__(self, sources):
        pass

    def select(self, wanted, keywords):
        return {
            need.type: Found(self.path, "packaged") if self.path.name else Unknown("not packaged")
            for need in wanted
        }


def double(path, keywords, folder):
    """Change a template by giving an array."""
    assert keywords["INSTRUME"] == "X"
    return {"SCI": fits.getdata(path) * 2}


def zero(path, keywords, folder):
    """Change a template by writing a file."""
    new = folder / "zero.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(fits.getdata(path) * 0, name="SCI")]).writeto(
        new
    )
    return new


def broken(path, keywords, folder):
    """Fail."""
    return {"SCI": np.zeros(3), "ELSE": np.zeros(3)}


def spec(impl: type[Step], *phases: Phase, **more) -> StepSpec:
    name = impl.__name__.lower()
    paths = f"{__name__}:{impl.__name__}", f"{__name__}:Params"
    return StepSpec(name, *paths, "Test.", f"S_{name[:6].upper()}", phases=phases, **more)


SUBTRACT = Phase("subtract", "frames", writes=("data",))
STEPS = (
    spec(Subtract, SUBTRACT, refs=(RefNeed("template", keys=()),)),
    spec(Again, SUBTRACT, calls=("subtract",)),
    spec(
        Derive,
        Phase("derive", "association"),
        scope="association",
        makes=(Output("template"),),
    ),
)
HOOKS = {
    "heliodor_selectors": [SelectorSpec("packaged", 200, f"{__name__}:Packaged", ("template",))],
    "heliodor_transforms": [
        TransformSpec(name, ("template",), f"{__name__}:{name}", "1.1")
        for name in ("double", "zero", "broken")
    ],
}


@pytest.fixture
def calibrate(made_up, tmp_path, monkeypatch):
    """Run the made-up pipeline with edits; its template is 3 everywhere."""
    path = tmp_path / "template.fits"
    fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.full((4, 8), 3, np.float32), name="SCI")]
    ).writeto(path)
    monkeypatch.setattr(Packaged, "path", path)
    yield made_up(STEPS, hooks=HOOKS, made_up_detector1=PIPELINE)
    plugins.registry.cache_clear()


def ramp(result) -> np.ndarray:
    return result.products["ramp"].data


def reference(result, step=0):
    return result.provenance.receipt.steps[step].references[0]


def test_a_selector_of_ones_own(calibrate):
    result = calibrate()
    plain = calibrate("[set: {subtract.skip: true}]")
    np.testing.assert_array_equal(ramp(result), ramp(plain) - 3)
    assert (reference(result).name, reference(result).changed_by) == ("template.fits", "")
    assert result.provenance.keywords()["R_TEMPLA"] == "template.fits"


@pytest.mark.parametrize(("name", "factor"), [("double", 2), ("zero", 0)])
def test_a_reference_that_is_changed(calibrate, name, factor):
    edits = f"[{{reference: template, by: {name}}}]"
    result = calibrate(edits)
    plain = calibrate("[set: {subtract.skip: true}]")
    np.testing.assert_array_equal(ramp(result), ramp(plain) - 3 * factor)
    record = reference(result)
    assert record.name == "template.fits"
    assert record.sha256 == hashlib.sha256(Packaged.path.read_bytes()).hexdigest()
    assert record.changed_by == f"{name} 1.1 of heliodor-x 1.0"
    assert record.changed_sha256 not in ("", record.sha256)
    assert (
        calibrate(edits, do=plan)
        .to_dict()["steps"][0]["references"]["template"]
        .endswith(f"template.fits, changed by {name}")
    )


def test_a_reference_of_what_is_called_is_changed_too(calibrate):
    result = calibrate("[{replace: subtract, by: again}, {reference: template, by: double}]")
    plain = calibrate("[set: {subtract.skip: true}]")
    np.testing.assert_array_equal(ramp(result), ramp(plain) - 6)
    (called,) = result.provenance.receipt.steps[1].calls
    assert called.references[0].changed_by.startswith("double")


def test_a_change_for_some_exposures_only(calibrate):
    edits = "[{reference: template, by: double, when: {detector: NRCB1}}]"
    assert reference(calibrate(edits)).changed_by == ""


def test_a_change_that_fails(calibrate):
    with pytest.raises(ReferenceError, match=r"template.fits: has no extension ELSE"):
        calibrate("[{reference: template, by: broken}]")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("{reference: templat, by: double}", "Did you mean 'template'"),
        ("{reference: template, by: doubl}", "Did you mean 'double'"),
        ("{reference: template}", "say 'by' what it is changed"),
        ("{reference: template, from: nowhere}", "There is no port 'nowhere'"),
        ("{reference: template, by: double, when: {status.subtract: COMPLETE}}", "decided at run"),
    ],
)
def test_mistakes(calibrate, edit, said):
    with pytest.raises(PipelineError, match=rf"my.yaml:2: .*{said}"):
        calibrate(f"[{edit}]", do=plan)


def test_a_reference_derived_from_the_data(calibrate, make_uncal):
    others = [make_uncal(f"jw_{n}_uncal.fits", keywords={"INSTRUME": "X"}) for n in "ab"]
    with fits.open(others[1], "update") as hdus:
        hdus["SCI"].data += np.uint16(10)
    results = calibrate(DERIVE.strip(), do=lambda _, **more: run_all(others, **more))
    plain = calibrate("[set: {subtract.skip: true}]", do=lambda _, **m: run_all(others, **m))
    for result, before in zip(results, plain, strict=True):
        np.testing.assert_array_equal(ramp(result), ramp(before) - 5)
        record = reference(result, 1)
        assert (record.name, record.origin) == ("sky", "made by this run")
        assert len(record.sha256) == 64
    assert not list(Path(results[0].plan.request.out).glob("template-*"))


def test_nothing_needs_to_be_found_of_what_is_derived(calibrate, monkeypatch):
    monkeypatch.setattr(Packaged, "path", Path())
    assert calibrate("[]", do=plan).missing
    planned = calibrate(DERIVE.strip(), do=plan)
    assert not planned.missing
    assert planned.to_dict()["steps"][1]["references"] == {"template": "port sky"}


def test_before_it_is_made_the_usual_one_is_taken(calibrate):
    first = "- insert: {subtract: {as: first}}\n  before: subtract\n"
    planned = calibrate(first + DERIVE.strip(), do=plan)
    found = [step["references"].get("template") for step in planned.to_dict()["steps"]]
    assert found == [str(Packaged.path), None, "port sky"]


def test_who_is_left_out_when_it_is_not_made(calibrate):
    planned = calibrate(DERIVE.strip() + "\n- set: {derive.skip: true}", do=plan)
    assert planned.steps[1].reason == "there will be no sky"
