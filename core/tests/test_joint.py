"""Steps that look at several exposures: the segments of one, or all that are run together."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from heliodor import joint, plans, plugins, receipt, scratch
from heliodor.api import plan, run, run_all
from heliodor.data import PLAIN, Product
from heliodor.declare import Output, Phase, StepSpec
from heliodor.errors import NotYetError, StepError, UsageError
from heliodor.params import Params, parameter
from heliodor.step import Skipped, Step
from heliodor.testing import conformance, made_up_ramp, run_step

PIPELINE = """
name: made_up_detector1
for: {stage: 1, instrument: X}
in: uncal
steps:
  - level
  - common
  - save: ramp
"""
NAMES = (
    "jw01234001001_02101_00001-seg002_nrca1",
    "jw01234001001_02101_00001-seg001_nrca1",
    "jw01234001001_02101_00002_nrca1",
)


class LevelParams(Params):
    fail: str = parameter("", "Fail for the exposure of this name.")


class Level(Step[LevelParams]):
    """Makes a product, the mean of the ramp."""

    Params = LevelParams

    def measure(self, ramp, piece):
        if self.params.fail and self.params.fail in ramp.keywords["FILENAME"]:
            raise ArithmeticError("no level")

    def finish(self, ramp):
        planes = {"data": np.full((1, 1), ramp.data.mean(), np.float32)}
        return {"level": Product("level", PLAIN, planes, ramp.keywords.copy())}


class CommonParams(Params):
    fail: bool = parameter(False, "Fail.")
    apply: bool = parameter(True, "Do it.")


class Common(Step[CommonParams]):
    """Brings all exposures to one level: reads a product of each, writes back into each."""

    Params = CommonParams

    def prepare(self, members, refs):
        return None if self.params.apply else Skipped("not wanted")

    def bring(self, members):
        if self.params.fail:
            raise ArithmeticError("no common level")
        levels = [member.inputs["level"].planes["data"][0, 0] for member in members]
        for member, level in zip(members, levels, strict=True):
            member.data.data += np.mean(levels) - level
            member.data.groupdq[0, 0, 0, 0] |= 1
            member.data.keywords["NMEMBERS"] = len(members)
        self.levels = levels

    def finish(self, members):
        for member in members:
            planes = {"mine": np.zeros((1, 1), np.float32)}
            member.products["own"] = Product("own", PLAIN, planes, member.data.keywords.copy())
        planes = {"levels": np.array([self.levels], np.float32)}
        return {"levels": Product("levels", PLAIN, planes, members[0].data.keywords.copy())}


def spec(impl: type[Step], name: str, params: type[Params], *phases: Phase, **more) -> StepSpec:
    paths = f"{__name__}:{impl.__name__}", f"{__name__}:{params.__name__}"
    return StepSpec(name, *paths, "Test.", f"S_{name[:6].upper()}", phases=phases, **more)


MEASURE = Phase("measure", "exposure")
BRING = Phase("bring", "association", writes=("data",))
MADE = (Output("levels"), Output("own"))
STEPS = (
    spec(Level, "level", LevelParams, MEASURE, makes=(Output("level"),)),
    *(
        spec(
            Common,
            name,
            CommonParams,
            BRING,
            scope=scope,
            reads=("level",),
            makes=MADE,
            sets_bits=("DO_NOT_USE",),
        )
        for name, scope in (("common", "association"), ("common_of_segments", "segments"))
    ),
)
SEGMENTS = "[{replace: common, by: common_of_segments}]"


@pytest.fixture
def calibrate(made_up, make_uncal, tmp_path):
    """Run three exposures together: two segments of one, and another."""
    one = made_up(STEPS, made_up_detector1=PIPELINE)
    keywords = {"INSTRUME": "X", "EXP_TYPE": "X_IMAGE"}
    paths = [
        make_uncal(f"{name}_uncal.fits", (2, 3, 4, 8 + 2 * number), keywords=keywords)
        for number, name in enumerate(NAMES)
    ]

    def calibrate(edits="[]", do=run_all, which=(0, 1, 2), **options):
        chosen = [paths[number] for number in which]
        edits = edits.replace("THIRD", f"{NAMES[2]}_uncal.fits")
        return one(edits, do=lambda _, **more: do(chosen, **more), **options)

    yield calibrate
    plugins.registry.cache_clear()


def means(results) -> list[float]:
    return [float(result.products["ramp"].data.mean()) for result in results]


def test_all_together(calibrate):
    results = calibrate()
    found = means(results)
    assert found == pytest.approx([found[0]] * 3)
    assert [result.products["ramp"].keywords["NMEMBERS"] for result in results] == [3, 3, 3]
    assert [result.outcomes[1][1].flagged for result in results] == [{"DO_NOT_USE": 1}] * 3


def test_segments_only(calibrate):
    results = calibrate(SEGMENTS)
    found = means(results)
    assert found[0] == pytest.approx(found[1])
    assert found[2] != pytest.approx(found[0])
    assert [result.products["ramp"].keywords["NMEMBERS"] for result in results] == [2, 2, 1]


class Uneven(Common):
    """Keeps the number of threads, which is nobody's business."""

    def bring(self, members):
        super().bring(members)
        members[1].data.keywords["THREADS"] = self.threads


def test_it_is_held_to_what_it_promises():
    ramps = [made_up_ramp((2, 3, 4, 8)), made_up_ramp((2, 3, 4, 10), seed=2)]
    inputs = [
        {"level": Product("level", PLAIN, {"data": np.full((1, 1), level)}, ramp.keywords)}
        for level, ramp in zip((5.0, 7.0), ramps, strict=True)
    ]
    common = next(each for each in STEPS if each.name == "common")
    careful = replace(common, phases=(replace(BRING, writes=("data", "groupdq")),))
    conformance(careful, ramps, inputs=inputs)
    with pytest.raises(AssertionError, match="exposure_1: groupdq has changed, but its phases do"):
        conformance(common, ramps, inputs=inputs)
    with pytest.raises(AssertionError, match=r"differs from one thread .*: exposure_2 keyword THR"):
        conformance(replace(careful, impl=f"{__name__}:Uneven"), ramps, inputs=inputs)
    with pytest.raises(AssertionError, match="its scope is association: give one exposure, or a"):
        conformance(careful, ramps[0], inputs=inputs[0])
    outcome = run_step(careful, ramps, inputs=inputs)
    assert [ramp.keywords["NMEMBERS"] for ramp in ramps] == [2, 2]
    assert set(outcome.products) == {"levels", "own", "exposure_2/own"}


@pytest.mark.parametrize("edits", ["[]", SEGMENTS])
def test_the_order_in_which_they_are_given_does_not_matter(calibrate, edits):
    one = calibrate(edits)
    two = calibrate(edits, which=(2, 1, 0))
    for first, second in zip(one, reversed(two), strict=True):
        np.testing.assert_array_equal(first.products["ramp"].data, second.products["ramp"].data)
        assert first.outcomes[1][1].members == second.outcomes[1][1].members
    assert one[0].outcomes[-1][1].members[:2] == (NAMES[1], NAMES[0])


def test_one_alone(calibrate):
    (together,) = calibrate(which=(0,))
    alone = calibrate(which=(0,), do=lambda paths, **more: run(paths[0], **more))
    np.testing.assert_array_equal(together.products["ramp"].data, alone.products["ramp"].data)


def test_products_of_all_and_of_each(calibrate):
    results = calibrate(
        "- replace: common\n  by: {common: {to: {levels: levels, own: own}}}\n"
        "- insert: [{save: levels, of: levels}, {save: own, of: own}]\n  after: common"
    )
    assert [sorted(result.products) for result in results] == [
        ["own", "ramp"], ["levels", "own", "ramp"], ["own", "ramp"],
    ]  # fmt: skip


def test_it_is_recorded(calibrate, tmp_path):
    results = calibrate(save=True, out=tmp_path / "out")
    for result in results:
        step = receipt.read(result.paths["ramp"])["steps"][1]
        assert (step["name"], step["members"]) == ("common", sorted(NAMES))


def test_what_is_planned(calibrate):
    together = calibrate(do=lambda paths, **more: [plan(path, **more) for path in paths])
    assert [len(batch) for batch in joint.batches(together)] == [3]
    segments = calibrate(SEGMENTS, do=lambda paths, **more: [plan(p, **more) for p in paths])
    assert [len(batch) for batch in joint.batches(segments)] == [2, 1]
    counted = joint.counted(together)
    assert counted[0].memory.cube == 3 * together[0].memory.cube
    assert together[0].to_dict()["steps"][1]["scope"] == "association"


def test_left_out(calibrate):
    for parameters in ({"common.skip": True}, {"common.apply": False}):
        results = calibrate(parameters=parameters)
        assert [result.outcomes[1][1].status for result in results] == ["SKIPPED"] * 3
        assert len({round(mean, 3) for mean in means(results)}) == 3


def test_left_out_for_some(calibrate):
    results = calibrate("[{set: {common.skip: true}, when: {FILENAME: THIRD}}]")
    assert [result.outcomes[1][1].status for result in results] == [
        "COMPLETE", "COMPLETE", "SKIPPED",
    ]  # fmt: skip


def test_one_that_fails_before_does_not_stop_the_others(calibrate):
    def together(paths, **more):
        made = [plan(path, **more) for path in paths]
        return joint.run_all(made, save=False)

    results = calibrate(do=together, parameters={"level.fail": "00002"})
    assert isinstance(results[2], StepError)
    assert [result.products["ramp"].keywords["NMEMBERS"] for result in results[:2]] == [2, 2]
    with pytest.raises(StepError, match=r"00002_nrca1_uncal.fits: level of"):
        calibrate(parameters={"level.fail": "00002"})


def test_a_failure_ends_all_who_take_part(calibrate):
    def together(paths, **more):
        return joint.run_all([plan(path, **more) for path in paths], save=False)

    results = calibrate(do=together, parameters={"common.fail": True})
    assert all(isinstance(result, StepError) for result in results)
    assert "common of" in str(results[0])


def test_parameters_must_be_the_same(calibrate):
    edits = "[{set: {common.apply: false}, when: {FILENAME: THIRD}}]"
    with pytest.raises(UsageError, match="its parameters differ between"):
        calibrate(edits)


def test_several_such_steps_of_which_some_are_for_some_exposures(calibrate):
    results = calibrate(
        "- insert: {common_of_segments: {as: other}}\n  after: common\n"
        "- insert: {common: {as: early, when: {FILENAME: THIRD}}}\n  before: common"
    )
    members = [[len(outcome.members) for _, outcome in result.outcomes[1:]] for result in results]
    assert members == [[0, 3, 2], [0, 3, 2], [1, 3, 1]]


def test_pipelines_in_which_exposures_wait_for_each_other():
    def waiting(name, step, *ahead):
        planned = SimpleNamespace(title=step, spec=STEPS[1])
        return SimpleNamespace(name=name, step=planned, ahead={step, *ahead})

    both = [waiting("a", "common", "other"), waiting("b", "other", "common")]
    with pytest.raises(StepError, match="a for common; b for other"):
        joint._complete(both, both)
    assert joint._complete(both[:1], both[:1]) == both[:1]


def test_what_cannot_be_yet(calibrate):
    with pytest.raises(NotYetError, match="common looks at several exposures"):
        calibrate("[{replace: common, by: {common: {on_error: skip}}}]")


def test_on_scratch(calibrate, monkeypatch, tmp_path):
    expected = calibrate()
    monkeypatch.setattr(plans.Plan, "on_scratch", True)
    monkeypatch.setattr(scratch, "SMALL", 1)
    found = calibrate(max_memory=10 << 30, scratch=tmp_path)
    for one, two in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one.products["ramp"].data, two.products["ramp"].data)


def test_a_declaration_that_contradicts_itself(plugin):
    wrong = spec(Common, "wrong", CommonParams, BRING)
    registry = plugins.Registry([plugin("heliodor-y", heliodor_steps=[wrong])])
    assert "the scope is exposure" in registry.failed[0].error
