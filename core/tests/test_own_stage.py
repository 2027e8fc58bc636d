"""A stage of one's own: a pipeline that begins with slopes, shipped by a package or as a file."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from heliodor import plugins
from heliodor.api import plan, run, run_all
from heliodor.data import Product
from heliodor.declare import Output, Phase, StepSpec
from heliodor.errors import ExposureError, NotYetError, PipelineError, UsageError
from heliodor.params import Params
from heliodor.step import Step

DETECTOR = """
name: made_up_detector1
for: {stage: 1, instrument: NIRCAM}
in: uncal
steps:
  - ramps
  - last: {to: {rate: rate}}
  - save: rate
    of: rate
"""
STAGE = """
name: made_up_kpi
for: {stage: 2, instrument: NIRCAM}
in: rate
steps:
  - trim
  - save: trimmed
"""
TOGETHER = """
name: made_up_self_calibration
for: {stage: 2}
in: rate
steps:
  - persistent
  - save: flagged
"""


class Ramps(Step[Params]):
    """Does nothing to ramps."""


class Last(Step[Params]):
    """Takes the last group for a slope."""

    def finish(self, ramp):
        planes = {"data": ramp.data[0, -1].copy(), "dq": np.zeros(ramp.shape[2:], np.uint32)}
        return {"rate": Product("rate", "ImageModel", planes, ramp.keywords.copy())}


class Trim(Step[Params]):
    """Cuts off the margin."""

    def trim(self, image):
        image.planes = {
            name: np.ascontiguousarray(plane[1:-1, 1:-1]) for name, plane in image.planes.items()
        }


class Persistent(Step[Params]):
    """Flags what is bright in every exposure."""

    def flag(self, members):
        bright = np.logical_and.reduce([member.data.planes["data"] > 500 for member in members])
        for member in members:
            member.data.planes["dq"][bright] |= 1


def spec(impl: type[Step], *phases: Phase, **more) -> StepSpec:
    name = impl.__name__.lower()
    paths = f"{__name__}:{impl.__name__}", f"{__name__}:Params"
    return StepSpec(name, *paths, "Test.", f"S_{name[:6].upper()}", phases=phases, **more)


STEPS = (
    spec(Ramps),
    spec(Last, makes=(Output("rate"),)),
    spec(Trim, Phase("trim", "exposure"), takes="image", reshapes=True),
    spec(Persistent, Phase("flag", "association"), takes="image", scope="association"),
)


@pytest.fixture
def rates(made_up, make_uncal, tmp_path):
    """Slopes of two exposures, as files."""
    # what is written must be known to the schemas
    documents = dict(made_up_detector1=DETECTOR, made_up_kpi=STAGE, together=TOGETHER)
    made_up(STEPS, instrument="NIRCAM", **documents)
    names = [f"jw01234001001_02101_0000{number}_nrca1_uncal.fits" for number in (1, 2)]
    paths = [make_uncal(name) for name in names]
    with fits.open(paths[1], "update") as hdus:
        hdus["SCI"].data[0, -1, 3, 7] = 0
    yield [run(path, threads=1, save=True, out=tmp_path).paths["rate"] for path in paths]
    plugins.registry.cache_clear()


def test_a_pipeline_by_its_name(rates, tmp_path):
    result = run(rates[0], pipeline="made_up_kpi", save=True, out=tmp_path / "out", threads=1)
    path = tmp_path / "out" / "jw01234001001_02101_00001_nrca1_trimmed.fits"
    assert result.paths == {"trimmed": path}
    with fits.open(rates[0]) as before, fits.open(path) as after:
        np.testing.assert_array_equal(after["SCI"].data, before["SCI"].data[1:-1, 1:-1])
        assert after[0].header["S_TRIM"] == "COMPLETE"
        assert after[0].header["S_LAST"] == "COMPLETE"  # of the stage before


def test_edits_of_it(rates, tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("extends: made_up_kpi\nedits: [{set: {trim.skip: true}}]\n")
    for given in (path, ["made_up_kpi", path]):
        result = run(rates[0], pipeline=given, threads=1)
        assert result.products["trimmed"].shape == (4, 8)


def test_a_file_of_ones_own_over_several_exposures(rates, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(TOGETHER)
    results = run_all(rates, pipeline=path, threads=1)
    first, second = (result.products["flagged"].planes for result in results)
    bright = (first["data"] > 500) & (second["data"] > 500)
    assert bright.any()
    for planes in (first, second):
        np.testing.assert_array_equal(planes["dq"], bright)
    assert not bright[3, 7]
    assert first["data"][3, 7] > 500


def test_memory_is_that_of_the_images(rates):
    memory = plan(rates[0], pipeline="made_up_kpi").memory
    assert memory.cube + memory.planes >= 2 * 4 * 4 * 8
    assert memory.groupdq < memory.cube


def test_an_exposure_of_another_level(rates, make_uncal, tmp_path):
    raw = make_uncal()
    with pytest.raises(NotYetError, match="made_up_kpi is not there yet for this exposure"):
        plan(raw, pipeline="made_up_kpi")
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nin: cal\nsteps: [trim]\n")
    with pytest.raises(ExposureError, match="is of level rate; mine takes cal"):
        plan(rates[0], pipeline=path)
    path.write_text("name: mine\nsteps: [ramps]\n")
    with pytest.raises(ExposureError, match="stage 1 takes ramps"):
        plan(rates[0], pipeline=path)
    path.write_text("name: mine\nin: rate\nsteps: [ramps]\n")
    with pytest.raises(PipelineError, match=r"mine.yaml:3: ramps works on ramps, and not on rate"):
        plan(rates[0], pipeline=path)
    with pytest.raises(ExposureError, match="stage 1 takes ramps"):
        plan(rates[0])


def test_a_name_that_is_not_there(rates):
    with pytest.raises(UsageError, match="Did you mean 'made_up_kpi'"):
        plan(rates[0], pipeline="made_up_kpo")
