"""Examples that stand for steps of others: each does on simulated exposures what it says."""

from __future__ import annotations

from pathlib import Path

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor.plugins import registry
from heliodor.stepfiles import find
from heliodor.testing import conformance, made_up_image, made_up_ramp

EXAMPLES = Path(__file__).parents[1] / "examples"
QUIET = ("sources", "coupling", "snowballs", "cosmic-rays", "1/f")


def step(example: str, name: str):
    """Give a step of an example, as pipelines find it."""
    return find(f"{EXAMPLES / example / 'my_steps.py'}:{name}", registry()).spec


# ------------------------------------------------------------------ 15: wisps

WISP = 1.5
"""Scale of the wisp that is put in."""


def arc(size: int) -> np.ndarray:
    """Make a template, a bent band [DN/s]; reference pixels see none of it."""
    y, x = np.mgrid[:size, :size] / size
    band = np.exp(-(((y - 0.5 - 0.8 * (x - 0.5) ** 2) / 0.1) ** 2)).astype(np.float32)
    band[:4] = band[:, :4] = 0
    return band


@pytest.fixture(scope="module")
def wispy(simulated):
    return simulated(
        "nircam-imaging", detector="NRCB4", filter="F200W", size=96, ngroups=6,
        without=("nonlinearity", "coupling", "snowballs"),
    )  # fmt: skip


@pytest.fixture
def templates(wispy, tmp_path):
    """A folder of templates: one for the exposure, one for another filter."""
    header = fits.getheader(wispy.exposure)
    for name, template in ("F200W", arc(96)), ("F150W", np.ones((96, 96), np.float32)):
        primary = fits.PrimaryHDU()
        primary.header.update(
            REFTYPE="WISP", INSTRUME="NIRCAM", DETECTOR="NRCB4", FILTER=name,
            PUPIL=header["PUPIL"], USEAFTER="2022-01-01T00:00:00",
        )  # fmt: skip
        hdus = fits.HDUList([primary, fits.ImageHDU(template, name="SCI")])
        hdus.writeto(tmp_path / f"wisp_{name}.fits")
    return tmp_path


def add_wisp(hdus) -> None:
    groups = np.arange(1, hdus["SCI"].data.shape[1] + 1)[:, None, None]
    light = WISP * arc(96) * groups * hdus[0].header["TGROUP"]
    hdus["SCI"].data = np.round(hdus["SCI"].data + light).astype(np.uint16)


def test_15_a_wisp_is_found_and_subtracted(wispy, templates, copied):
    given = {"folders": [wispy.references, templates]}
    edited = {"pipeline": EXAMPLES / "15-wisps" / "wisps.yaml", **given}
    with_wisp = copied(wispy, change=add_wisp)
    plain = heliodor.run(wispy.exposure, **given)["rate"]
    spoilt = heliodor.run(with_wisp, **given)["rate"].data - plain.data
    result = heliodor.run(with_wisp, **edited)
    mended = result["rate"].data - plain.data
    scale = result.products["rate"].keywords["WISPSCAL"]
    assert scale == pytest.approx(WISP, abs=0.03)
    inside = (arc(96) > 0.5) & (plain.dq == 0)
    assert np.nanmedian(spoilt[inside]) > 1
    assert abs(np.nanmedian(mended[inside])) < 0.03
    record = next(r for r in result.provenance.receipt.steps if r.name == "subtract_wisps")
    assert [reference.name for reference in record.references] == ["wisp_F200W.fits"]


def test_15_other_detectors_want_no_template(small_nircam):
    edits = EXAMPLES / "15-wisps" / "wisps.yaml"
    plan = heliodor.plan(small_nircam.exposure, folders=small_nircam.references, pipeline=edits)
    (wisps,) = (each for each in plan.steps if each.label == "subtract_wisps")
    assert not wisps.runs
    assert "here INSTRUME is NIRCAM, DETECTOR is NRCA1" in wisps.reason
    assert not plan.missing


def test_15_conforms():
    image = made_up_image()
    wisp = np.exp(-(((np.indices(image.shape)[0] - 60) / 9) ** 2)).astype(np.float32)
    image.planes["data"] += wisp
    conformance(step("15-wisps", "subtract_wisps"), image, {"wisp": wisp})


# ------------------------------------------------------------------ 07: periodic noise


PERIODIC = EXAMPLES / "07-periodic-noise" / "periodic.yaml"


@pytest.fixture(scope="module")
def waves(simulated):
    """One exposure with a wave and without."""
    without = (*QUIET, "amplifiers", "odd-even")
    arguments = {"subarray": "BRIGHTSKY", "ngroups": 6, "without": without}
    loud = simulated("miri-imaging", also=("interference",), **arguments)
    return loud, simulated("miri-imaging", **arguments)


def test_07_the_wave_falls(waves):
    loud, quiet = waves

    def blocks(case, **more):
        """Mean slopes of 8 x 8 pixels: raw data are whole numbers, which also differ."""
        image = heliodor.run(case.exposure, folders=case.references, **more)["rate"]
        slopes = np.where(image.dq == 0, image.data, np.nan)
        return np.nanmean(slopes.reshape(64, 8, 64, 8), axis=(1, 3))

    mend = {"frequency": 10.039216, "row_clocks": 162}
    mend = {f"remove_periodic_noise.{name}": value for name, value in mend.items()}
    expected = blocks(quiet, pipeline=PERIODIC, skip=["remove_periodic_noise"])
    before = blocks(loud, pipeline=PERIODIC, skip=["remove_periodic_noise"]) - expected
    after = blocks(loud, pipeline=PERIODIC, parameters=mend) - expected
    assert after.std() < before.std() / 10


def test_07_steps_have_moved(waves):
    loud, _ = waves
    plan = heliodor.plan(loud.exposure, folders=loud.references, pipeline=PERIODIC)
    order = [each.label for each in plan.steps if each.runs]
    first = order.index("linearity")
    assert order[first + 1 : first + 4] == ["remove_periodic_noise", "firstframe", "lastframe"]


def test_07_conforms():
    conformance(step("07-periodic-noise", "remove_periodic_noise"), frequency=10.0)


# ------------------------------------------------------------------ 03: columns that jump

COLUMNS = EXAMPLES / "03-column-jump" / "columns.yaml"


def shift_column(hdus) -> None:
    hdus["SCI"].data[1, 4:, 4:, 20] += np.uint16(40)


def test_03_a_column_is_mended_and_listed(simulated, copied, tmp_path):
    case = simulated("niriss-imaging", size=96, ngroups=8, nints=2, without=("coupling", "1/f"))
    given = {"folders": case.references}
    shifted = copied(case, change=shift_column)
    plain = heliodor.run(case.exposure, **given)["rateints"]
    spoilt = heliodor.run(shifted, skip=["jump"], **given)["rateints"]
    result = heliodor.run(shifted, pipeline=COLUMNS, save=True, out=tmp_path / "out", **given)
    with fits.open(result.paths["coljump"]) as hdus:
        assert hdus[0].header["S_COLJMP"] == "COMPLETE"
        assert hdus[0].header["NCOLJUMP"] == 1
        (event,) = hdus["EVENTS"].data
    assert list(event)[:3] == [2, 5, 21]
    assert event["jump"] == pytest.approx(40, abs=6)
    assert event["sigma"] > 6
    good = plain.dq[1, :, 20] == 0

    def off(slopes):
        return abs(np.median(slopes.data[1, good, 20] - plain.data[1, good, 20]))

    assert off(spoilt) > 0.5
    assert off(result["rateints"]) < off(spoilt) / 5


def test_03_other_instruments_are_left_alone(small_nircam):
    given = {"folders": small_nircam.references, "pipeline": COLUMNS}
    (column_jump,) = (
        each
        for each in heliodor.plan(small_nircam.exposure, **given).steps
        if each.label == "column_jump"
    )
    assert not column_jump.runs
    assert column_jump.reason == "it is for INSTRUME NIRISS"


def test_03_conforms():
    ramp = made_up_ramp((2, 6, 130, 96))
    ramp.data[1, 3:, :, 40] += 60
    conformance(step("03-column-jump", "ColumnJump"), ramp)
