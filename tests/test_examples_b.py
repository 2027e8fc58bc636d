"""Examples that stand for steps of others: each does on simulated exposures what it says."""

from __future__ import annotations

import hashlib
import importlib
import tomllib
from pathlib import Path

import heliodor
import numpy as np
import pytest
from astropy.io import fits
from heliodor.bits import PIXEL
from heliodor.errors import PipelineError, UsageError
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
    edited = {"pipeline": EXAMPLES / "15-wisps" / "edits.yaml", **given}
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
    edits = EXAMPLES / "15-wisps" / "edits.yaml"
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


PERIODIC = EXAMPLES / "07-periodic-noise" / "edits.yaml"


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

COLUMNS = EXAMPLES / "03-column-jump" / "edits.yaml"


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


# ------------------------------------------------------------------ 25: a stage of one's own

KERNEL = EXAMPLES / "25-kernel-phase"
CONTRAST, AWAY = 0.2, (3.0, -2.0)
"""Of a companion: brightness, and where it is [pixel], x and y."""


def binary(ny: int, nx: int, cycles: float) -> np.ndarray:
    """Make the image of a star with a companion, seen through the mask with wrong phases."""
    holes = np.loadtxt(KERNEL / "nrm.txt")
    wrong = np.random.default_rng(1).normal(0, 0.4, len(holes))
    image = np.zeros((ny, nx))
    for (dx, dy), light in zip([(0, 0), AWAY], [1, CONTRAST], strict=True):
        y, x = np.mgrid[:ny, :nx]
        y, x = y - (ny // 2 + 0.3 + dy), x - (nx // 2 - 0.2 + dx)
        turn = 2 * np.pi * cycles * (holes[:, :1, None] * x + holes[:, 1:, None] * y)
        wave = np.exp(1j * (turn + wrong[:, None, None])).sum(axis=0)
        image += light * np.abs(wave) ** 2 * np.exp(-(x**2 + y**2) / (2 * 10**2))
    return image


@pytest.fixture(scope="module")
def slopes(simulated, tmp_path_factory):
    """A product of slopes in which a binary star has taken the place of the sky."""
    case = simulated("niriss-ami", subarray="SUB80", ngroups=4, nints=2, without=QUIET)
    folder = tmp_path_factory.mktemp("slopes")
    done = heliodor.run(case.exposure, folders=case.references, save=True, out=folder)
    path = done.paths["rateints"]
    with fits.open(path, "update") as hdus:
        per_metre = np.deg2rad(0.0655 / 3600) / 4.82e-6
        hdus["SCI"].data[:] = 20 * binary(80, 80, per_metre)
        hdus["DQ"].data[:] = 0
        hdus["DQ"].data[:, 41, 38] = hdus["DQ"].data[:, 36:38, 43] = 1
        hdus["SCI"].data[hdus["DQ"].data > 0] = np.nan
        hdus["ERR"].data[:] = 1.0
        assert hdus[0].header["FILTER"] == "F480M"
    return path


def test_25_a_companion_is_measured_through_a_wrong_pupil(slopes, tmp_path):
    pipeline = KERNEL / "kernel_phase.yaml"
    result = heliodor.run(slopes, pipeline=pipeline, save=True, out=tmp_path)
    with fits.open(result.paths["kpfits"]) as hdus:
        kernels, table = hdus["KERNELS"].data, hdus["KPHASE"].data
        lines = np.stack([hdus["BASELINES"].data[name] for name in "uv"], axis=1)
        assert hdus[0].header["NKERNEL"] == 15
        assert hdus[0].header["S_KPHASE"] == "COMPLETE"
    assert kernels.shape == (15, 21)
    per_metre = np.deg2rad(0.0655 / 3600) / 4.82e-6
    seen = np.angle(1 + CONTRAST * np.exp(-2j * np.pi * per_metre * lines @ AWAY))
    expected = kernels @ seen
    assert np.abs(expected).max() > 0.15
    for integration in (1, 2):
        measured = table["phase"][table["integration"] == integration]
        np.testing.assert_allclose(measured, expected, atol=0.02)
    assert (table["error"] > 0).all()
    assert table["error"].max() < 0.01
    record = result.provenance.receipt.steps[-1]
    (pupil,) = (each for each in record.parameters if each.name == "pupil")
    assert len(pupil.sha256) == 64


def test_25_the_image_is_cut_and_centred(slopes):
    result = heliodor.run(slopes, pipeline=KERNEL / "kernel_phase.yaml")
    image = result.products["kpcent"]
    assert image.shape == (2, 64, 64)
    assert np.isfinite(image.planes["data"]).all()
    assert not (image.planes["dq"] & 1).any()
    assert (image.planes["dq"] > 0).sum() == 6


def test_25_is_for_niriss_only(small_nircam, tmp_path):
    done = heliodor.run(
        small_nircam.exposure, folders=small_nircam.references, save=True, out=tmp_path
    )
    with pytest.raises(PipelineError, match="only when INSTRUME is NIRISS and FILTER"):
        heliodor.plan(done.paths["rateints"], pipeline=KERNEL / "kernel_phase.yaml")


@pytest.mark.parametrize("name", ["Trim", "fix_bad_pixels", "recentre"])
def test_25_conforms(name):
    image = made_up_image((3, 130, 96))
    image.planes["data"][:, 60:62, 50:52] = 100
    if name == "recentre":
        image.planes["data"] = np.nan_to_num(image.planes["data"])
    image.keywords["FILTER"] = "F430M"
    conformance(step("25-kernel-phase", name), image, may_clear=["DO_NOT_USE"])


# ------------------------------------------------------------------ 22: references that are changed

GAPLESS = EXAMPLES / "22-gapless-references"
GAPS = (np.array([30, 31, 31, 50]), np.array([20, 20, 21, 45]))


@pytest.fixture
def gapless(tmp_path, monkeypatch):
    """The package, as if it were installed."""
    project = tomllib.loads((GAPLESS / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / "heliodor_gapless-0.1.0.dist-info"
    info.mkdir(parents=True)
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    points = project["entry-points"]["heliodor"].items()
    lines = "".join(f"{name} = {module}\n" for name, module in points)
    (info / "entry_points.txt").write_text(f"[heliodor]\n{lines}")
    monkeypatch.syspath_prepend(info.parent)
    monkeypatch.syspath_prepend(GAPLESS / "src")
    registry.cache_clear()
    yield "heliodor_gapless.plugin"
    registry.cache_clear()


@pytest.fixture
def with_gaps(small_nircam, tmp_path):
    """A linearity reference that leaves some pixels out."""
    path = tmp_path / "linearity.fits"
    with fits.open(small_nircam.files["linearity"], memmap=False) as hdus:
        names = list(hdus["DQ_DEF"].data["NAME"])
        hdus["COEFFS"].data[:, *GAPS] = np.nan
        bit = hdus["DQ_DEF"].data["VALUE"][names.index("NO_LIN_CORR")]
        hdus["DQ"].data[GAPS] |= np.uint32(bit)
        hdus.writeto(path)
    return path


def test_22_pixels_get_what_their_neighbours_have(gapless, small_nircam, with_gaps):
    given = {"folders": small_nircam.references}
    whole = heliodor.run(small_nircam.exposure, **given)["rate"]
    given["references"] = {"linearity": with_gaps}
    plain = heliodor.run(small_nircam.exposure, **given)["rate"]
    result = heliodor.run(small_nircam.exposure, pipeline=GAPLESS / "edits.yaml", **given)
    filled, uncorrected = result["rate"], PIXEL["NO_LIN_CORR"]
    assert (plain.dq[GAPS] & uncorrected).all()
    assert not (filled.dq[GAPS] & uncorrected).any()
    off, filled_off = (np.abs(slopes.data - whole.data)[GAPS] for slopes in (plain, filled))
    assert (filled_off < off / 3).all()
    elsewhere = whole.dq & uncorrected == 0  # the simulator has left out some as well
    elsewhere[GAPS] = False
    np.testing.assert_array_equal(filled.dq[elsewhere], whole.dq[elsewhere])
    np.testing.assert_array_equal(filled.data[elsewhere], whole.data[elsewhere])
    steps = result.provenance.receipt.steps
    (record,) = next(step for step in steps if step.name == "linearity").references
    assert record.name == "linearity.fits"
    assert record.changed_by == "fill_gaps 1.0 of heliodor-gapless 0.1.0"
    assert record.changed_sha256 not in ("", record.sha256)


def test_22_nothing_changes_by_installing_it(gapless, small_nircam, with_gaps):
    given = {"folders": small_nircam.references, "references": {"linearity": with_gaps}}
    (linearity,) = (
        each
        for each in heliodor.plan(small_nircam.exposure, **given).steps
        if each.label == "linearity"
    )
    assert linearity.references["linearity"].by is None


def test_22_conforms(gapless):
    conformance(importlib.import_module(gapless))


# ------------------------------------------------------------------ 29: a list made by hand

REGIONS = EXAMPLES / "29-regions"


@pytest.fixture(scope="module")
def shutters(simulated):
    return simulated("nirspec-mos", readpatt="NRSRAPID", size=64, ngroups=4, without=QUIET)


def test_29_what_is_drawn_is_flagged_and_the_list_is_recorded(shutters):
    given = {"folders": shutters.references}
    plain = heliodor.run(shutters.exposure, **given)["rate"]
    result = heliodor.run(shutters.exposure, pipeline=REGIONS / "edits.yaml", **given)
    flagged = result["rate"].dq & PIXEL["MSA_FAILED_OPEN"] != 0
    expected = np.zeros((64, 64), bool)
    expected[23:27, 20:40] = True  # DS9 counts from 1
    y, x = np.indices((64, 64))
    expected |= (x - 49) ** 2 + (y - 49) ** 2 <= 3.5**2
    expected[11, 9] = True
    np.testing.assert_array_equal(flagged, expected)
    assert (result["rate"].dq[expected] & PIXEL["DO_NOT_USE"]).all()
    np.testing.assert_array_equal(result["rate"].dq[~expected], plain.dq[~expected])
    assert result.products["rate"].keywords["NREGPIX"] == expected.sum()
    steps = result.provenance.receipt.steps
    record = next(step for step in steps if step.name == "flag_regions")
    (regions,) = (each for each in record.parameters if each.name == "regions")
    listed = (REGIONS / "stuck_open_nrs1.reg").read_bytes()
    assert regions.sha256 == hashlib.sha256(listed).hexdigest()


def test_29_other_detectors_have_no_list(shutters, copied):
    other = copied(shutters, DETECTOR="NRS2")
    plan = heliodor.plan(other, pipeline=REGIONS / "edits.yaml", folders=shutters.references)
    (flag,) = (each for each in plan.steps if each.label == "flag_regions")
    assert flag.params.regions is None


def test_29_a_list_that_is_missing_is_an_error_of_the_plan(shutters):
    given = {"pipeline": REGIONS / "edits.yaml", "folders": shutters.references}
    with pytest.raises(UsageError, match="it takes a file that is there"):
        heliodor.plan(shutters.exposure, parameters={"flag_regions.regions": "no.reg"}, **given)


def test_29_conforms():
    listed = REGIONS / "stuck_open_nrs1.reg"
    conformance(step("29-regions", "flag_regions"), regions=listed)


# ------------------------------------------------------------------ 17: variances that are scaled

NOISE = EXAMPLES / "17-read-noise" / "edits.yaml"


def test_17_the_factor_is_found_and_recorded(simulated, tmp_path):
    case = simulated("nircam-imaging", size=128, ngroups=6, nints=2, without=QUIET)
    half = tmp_path / "readnoise.fits"
    with fits.open(case.files["readnoise"], memmap=False) as hdus:
        hdus["SCI"].data = hdus["SCI"].data / 2
        hdus.writeto(half)
    given = {"folders": case.references, "skip": ["jump"]}  # which noise would set off
    right = heliodor.run(case.exposure, **given)["rate"]
    given |= {"references": {"readnoise": half}, "pipeline": NOISE, "save": True}
    result = heliodor.run(case.exposure, out=tmp_path / "out", **given)
    for product in ("rate", "rateints"):
        header = fits.getheader(result.paths[product])
        assert header["S_SCALER"] == "COMPLETE"
        assert header["RNSCALE"] == pytest.approx(4, rel=0.1)
    scaled = result["rate"]
    good = (scaled.dq == 0) & (right.dq == 0)
    ratio = np.median(scaled.err[good] / right.err[good])
    assert ratio == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(
        scaled.err[good] ** 2, scaled.var_poisson[good] + scaled.var_rnoise[good], rtol=1e-4
    )


def test_17_conforms():
    conformance(step("17-read-noise", "scale_read_noise"), made_up_image())
