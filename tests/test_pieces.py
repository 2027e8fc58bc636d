"""Every step gives the same arrays, to the byte, however the data are cut and wherever they live.

Steps are found through the registry: one without a case here is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asdf
import numpy as np
import pytest
from heliodor.bits import DO_NOT_USE, JUMP_DET, REFERENCE_PIXEL, SATURATED
from heliodor.comparing import THREADS
from heliodor.data import Keywords, Product, Ramp
from heliodor.declare import Layout, StepSpec
from heliodor.plugins import Offer, registry
from heliodor.stripes import Stripes
from heliodor.testing import check_pieces, check_scratch, make_ramp, run_step

OFFERS = [offer for offers in registry().steps.values() for offer in offers]
NY, NX = 150, 24
"""Taller than two pieces of the usual height, which does not divide it."""

LINES = 160
"""Lines of an IRS2 frame; a detector has 2048."""

TIMES = {"NFRAMES": 1, "TGROUP": 10.0, "TFRAME": 10.0}


@dataclass
class Case:
    """What a step is run on."""

    exposure: Ramp | Product
    references: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, list[Callable[[Any], Case]]] = {}


def case_of(*impls: str) -> Callable:
    """Mark a function of a folder as a case of some implementations."""

    def mark(make: Callable[[Any], Case]) -> Callable[[Any], Case]:
        for impl in impls:
            CASES.setdefault(impl, []).append(make)
        return make

    return mark


def random(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def plane(low: float, high: float, shape: tuple[int, ...] = (NY, NX)) -> np.ndarray:
    return random(2).uniform(low, high, shape).astype(np.float32)


def flags(share: float, value: int, shape: tuple[int, ...] = (NY, NX)) -> np.ndarray:
    return np.where(random(3).random(shape) < share, value, 0).astype(np.uint32)


def observed(shape: tuple[int, ...] = (2, 12, NY, NX), **keywords: Any) -> Ramp:
    """Make noisy ramps with hits, saturation, gaps and all kinds of flags."""
    rng = random()
    rate = rng.choice([20.0, 200.0, 6000.0], p=[0.7, 0.2, 0.1], size=shape[2:])
    data = 500 + np.cumsum(rng.poisson(np.broadcast_to(rate, shape)), axis=1)
    data = data + np.cumsum((rng.random(shape) < 0.02) * rng.exponential(500, shape), axis=1)
    data += rng.normal(0, 8, shape)
    groupdq = np.where(rng.random(shape) < 0.01, DO_NOT_USE, 0)
    groupdq[rng.random(shape) < 0.01] |= JUMP_DET
    groupdq[np.maximum.accumulate(data, axis=1) > 50000] |= SATURATED
    data[rng.random(shape) < 0.002] = np.nan
    zeroframe = np.where(rng.random((shape[0], *shape[2:])) < 0.2, 0, data[:, 0])
    return make_ramp(
        data, groupdq, zeroframe, flags(0.02, DO_NOT_USE, shape[2:]), **TIMES | keywords
    )


def noise() -> dict[str, np.ndarray]:
    gain = plane(1.5, 2.5)
    gain[3, :5] = 0, -1, np.nan, 2, 2
    return {"gain": gain, "readnoise": plane(5, 9)}


def flat_noise(size: tuple[int, int]) -> dict[str, np.ndarray]:
    return {"gain": np.full(size, 2, np.float32), "readnoise": np.full(size, 5, np.float32)}


# ------------------------------------------------------------------ shared steps


@case_of("heliodor_detector.steps.group_scale.step:GroupScale")
def group_scale(_: Any) -> Case:
    return Case(observed(NFRAMES=5, FRMDIVSR=8))


@case_of("heliodor_detector.steps.dq_init.step:DQInit")
def dq_init(_: Any) -> Case:
    return Case(observed(), {"mask": {"DQ": flags(0.1, DO_NOT_USE)}})


@case_of("heliodor_detector.steps.saturation.step:Saturation")
def saturation(_: Any) -> Case:
    limits = {"SCI": plane(20000, 60000), "DQ": flags(0.05, 2)}
    return Case(observed(NFRAMES=4), {"saturation": limits, "superbias": plane(300, 600)})


@case_of("heliodor_detector.steps.ipc.step:Ipc", "heliodor_miri.steps.ipc.step:MiriIpc")
def ipc(_: Any) -> Case:
    weights = np.array([[0, -1, 0], [-1, 104, -1], [0, -1, 0]], np.float32) / 100
    return Case(observed(INSTRUME="MIRI"), {"ipc": weights})


@case_of("heliodor_detector.steps.superbias.step:SuperBias")
def superbias(_: Any) -> Case:
    return Case(observed(), {"superbias": {"SCI": plane(300, 600), "DQ": flags(0.1, 2)}})


@case_of("heliodor_detector.steps.refpix.step:RefPix")
def refpix(_: Any) -> Case:
    ramp = observed((2, 3, 70, 2048), INSTRUME="NIRCAM", NOUTPUTS=4, FASTAXIS=-1, SLOWAXIS=2)
    ramp.pixeldq[:4] |= REFERENCE_PIXEL
    ramp.pixeldq[:, :4] |= REFERENCE_PIXEL
    ramp.pixeldq[:, -4:] |= REFERENCE_PIXEL
    return Case(ramp)


@case_of("heliodor_detector.steps.refpix.step:RefPix")
def refpix_by_weighted_means(folder: Any) -> Case:
    size = (2048, 2048)
    shape = {"INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "FASTAXIS": -1, "SLOWAXIS": 2}
    ramp = make_ramp(random().normal(900, 9, (1, 1, *size)), SUBARRAY="FULL", **shape)
    ramp.pixeldq[:] = REFERENCE_PIXEL
    ramp.pixeldq[4:-4, 4:-4] = 0
    weights = random().normal(1, 0.1, (4, 65)) + 0j
    asdf.AsdfFile({"nrca1": {"gamma": weights, "zeta": weights}}).write_to(folder / "sirs.asdf")
    return Case(ramp, {"sirskernel": folder / "sirs.asdf"}, {"refpix_algorithm": "sirs"})


@case_of("heliodor_detector.steps.refpix_stripes.step:StripesRefPix")
def superstripes_that_are_joined(_: Any) -> Case:
    """Three of thirty lines, each read after four lines of reference pixels."""
    keywords = {
        "MSTR_RD1": 4, "MSTR_SK1": 0, "MSTR_RD2": 30, "MSTR_SK2": 0, "MSTR_RPT": 1, "MSTR_ILV": 1,
        "SSTR_STP": 30, "SSTR_NST": 3, "NINTS": 6, "NGROUPS": 2, "SUBARRAY": "STRIPES",
        "FASTAXIS": 1, "SLOWAXIS": 2, "SUBSIZE1": 64, "SUBSIZE2": 34, "NOUTPUTS": 1,
    }  # fmt: skip
    ramp = observed((6, 2, 34, 64), INSTRUME="NIRISS", **keywords)
    ramp.stripes = Stripes.of(ramp.keywords, Layout())
    ramp.pixeldq = np.stack([ramp.pixeldq] * 3)
    ramp.pixeldq[:, :4] |= REFERENCE_PIXEL
    ramp.pixeldq[..., :4] |= REFERENCE_PIXEL
    return Case(ramp)


@case_of("heliodor_detector.steps.linearity.step:Linearity")
def linearity(_: Any) -> Case:
    coefficients = np.stack([plane(0, 1), plane(0.9, 1.1), plane(0, 1e-6)])
    inverse = np.stack([plane(-1, 0), plane(0.9, 1.1), plane(-1e-6, 0)])
    planes = {"COEFFS": coefficients, "INV_COEFFS": inverse, "DQ": flags(0.1, 2)}
    return Case(observed(NFRAMES=4), {"linearity": planes})


@case_of("heliodor_detector.steps.dark_current.step:DarkCurrent")
def dark_shorter_than_the_exposure(_: Any) -> Case:
    dark = {"SCI": plane(0, 30, (20, NY, NX)), "DQ": flags(0.1, 2)}
    return Case(observed(NFRAMES=2, GROUPGAP=1), {"dark": dark})


@case_of("heliodor_detector.steps.dark_current.step:DarkCurrent")
def dark_of_several_integrations(_: Any) -> Case:
    return Case(observed((4, 5, NY, NX)), {"dark": plane(0, 30, (2, 6, NY, NX))})


@case_of("heliodor_detector.steps.charge_migration.step:ChargeMigration")
def charge_migration(_: Any) -> Case:
    return Case(observed(), parameters={"signal_threshold": 20000.0})


@case_of("heliodor_detector.steps.persistence.step:Persistence")
def persistence(_: Any) -> Case:
    keywords = {"EXPSTART": 6e4, "EFFINTTM": 100.0, "DETECTOR": "NRCA1"}
    return Case(observed(**keywords), parameters={"persistence_time": 60, "dn_threshold": 3e4})


@case_of("heliodor_detector.steps.clean_flicker_noise.step:CleanFlickerNoise")
def stripes(_: Any) -> Case:
    keywords = {"EXP_TYPE": "NRC_IMAGE", "DETECTOR": "NRCA1", "SUBARRAY": "SUB64P", "SLOWAXIS": 2}
    products = dict.fromkeys(("save_mask", "save_background", "save_noise"), True)
    return Case(observed(**keywords), noise(), {"single_mask": False, **products})


@case_of("heliodor_detector.steps.clean_flicker_noise.step:CleanFlickerNoise")
def stripes_of_groups_less_their_median(_: Any) -> Case:
    keywords = {"EXP_TYPE": "NRC_IMAGE", "DETECTOR": "NRCA1", "SUBARRAY": "SUB64P", "SLOWAXIS": 2}
    parameters = {"background_method": "median_image", "apply_flat_field": True}
    references = {**noise(), "flat": plane(0.9, 1.1)}
    return Case(observed((3, 4, NY, NX), **keywords), references, parameters)


@case_of("heliodor_detector.steps.clean_flicker_noise.step:CleanFlickerNoise")
def flickering_frequencies(_: Any) -> Case:
    size = (NY, 128)
    keywords = {"EXP_TYPE": "NRS_FIXEDSLIT", "DETECTOR": "NRS1", "SLOWAXIS": 1}
    ramp = observed((2, 4, *size), SUBARRAY="ALLSLITS", **keywords)
    same = flat_noise(size)
    return Case(ramp, same, {"fit_method": "fft", "mask_science_regions": False})


@case_of("heliodor_detector.steps.picture_frame.step:PictureFrame")
def picture_frame(_: Any) -> Case:
    size = (110, 110)
    references = {**flat_noise(size), "pictureframe": plane(0, 9, size)}
    parameters = {"mask_science_regions": False, "save_mask": True, "save_correction": True}
    return Case(observed((2, 4, *size), DETECTOR="NRS1"), references, parameters)


@case_of("heliodor_detector.steps.jump.step:Jump")
def jumps_of_few_groups(_: Any) -> Case:
    return Case(observed((1, 6, NY, NX)), noise())


@case_of("heliodor_detector.steps.jump.step:Jump")
def jumps_with_all_that_follows(_: Any) -> Case:
    after = {"after_jump_flag_dn1": 100.0, "after_jump_flag_time1": 20.0}
    large = {"expand_large_events": True, "min_jump_area": 2.0, "edge_size": 5}
    return Case(observed(), noise(), {**after, **large, "sat_required_snowball": False})


@case_of("heliodor_detector.steps.jump.step:Jump")
def jumps_with_snowballs_as_in_operations(_: Any) -> Case:
    """Disks that are saturated in their middle, so that cores go on in the next integration."""
    ramp = observed((3, 6, NY, NX))
    y, x = np.indices((NY, NX))
    for integration, (row, column) in enumerate([(40, 12), (70, 8), (110, 14)]):
        distance = np.hypot(y - row, x - column)
        ramp.groupdq[integration, 2, distance < 8] |= JUMP_DET
        ramp.groupdq[integration, 2:, distance < 4] |= SATURATED
    large = {"expand_large_events": True, "min_sat_area": 1.0, "large_events_as_jwst": True}
    masked = {"mask_snowball_core_next_int": True, "snowball_time_masked_next_int": 25}
    return Case(ramp, noise(), {**large, **masked, "edge_size": 5})


@case_of("heliodor_detector.steps.jump.step:Jump")
def jumps_clipped_with_showers(_: Any) -> Case:
    """Disks too faint for jumps, one of them among reference pixels."""
    ramp = observed((12, 5, NY, NX))
    y, x = np.indices((NY, NX))
    for integration, row, column in ((3, 40, 11), (7, 90, 4)):
        ramp.data[integration, 2:, np.hypot(y - row, x - column) < 7] += 30
    ramp.pixeldq[:, :4] = REFERENCE_PIXEL
    showers = {"find_showers": True, "extend_min_area": 20, "extend_snr_threshold": 1.0}
    return Case(ramp, noise(), {"minimum_sigclip_groups": 12, **showers})


@case_of(
    "heliodor_detector.steps.ramp_fit.step:RampFit", "heliodor_miri.steps.ramp_fit.step:MiriRampFit"
)
def ramp_fit(_: Any) -> Case:
    parameters = {"save_opt": True, "suppress_one_group": False}
    return Case(observed((3, 8, NY, NX), EXP_TYPE="NRC_IMAGE"), noise(), parameters)


@case_of(
    "heliodor_detector.steps.ramp_fit.step:RampFit", "heliodor_miri.steps.ramp_fit.step:MiriRampFit"
)
def ramp_fit_by_likelihood(_: Any) -> Case:
    ramp = observed((3, 8, NY, NX), EXP_TYPE="NRC_IMAGE")
    return Case(ramp, noise(), {"algorithm": "LIKELY", "save_opt": True})


@case_of("heliodor_detector.steps.gain_scale.step:GainScale")
def gain_scale(_: Any) -> Case:
    planes = {name: plane(0, 9) for name in ("data", "err", "var_poisson", "var_rnoise")}
    return Case(Product("rate", "ImageModel", planes, Keywords({"GAINFACT": 2.0})))


# ------------------------------------------------------------------ MIRI


@case_of("heliodor_miri.steps.emicorr.step:EmiCorr")
def emicorr_wave_by_wave(folder: Any) -> Case:
    case = emicorr(folder)
    return Case(case.exposure, case.references, {"algorithm": "sequential"})


@case_of("heliodor_miri.steps.emicorr.step:EmiCorr")
def emicorr(folder: Any) -> Case:
    wave = np.sin(2 * np.pi * (np.arange(200) + 0.5) / 200).tolist()
    clock = {"rowclocks": 28, "frameclocks": 8512, "freqs": {"FAST": ["Hz390"]}}
    tree = {
        "frequencies": {"Hz390": {"frequency": 390.625, "phase_amplitudes": wave}},
        "subarray_cases": {"SUB64": clock},
    }
    asdf.AsdfFile(tree).write_to(folder / "emicorr.asdf")
    data = random().normal(9000, 20, (2, 6, NY, 72))
    ramp = make_ramp(
        data, INSTRUME="MIRI", DETECTOR="MIRIMAGE", SUBARRAY="SUB64", READPATT="FASTR1", NSAMPLES=1
    )
    return Case(ramp, {"emicorr": folder / "emicorr.asdf"})


@case_of("heliodor_miri.steps.clean_flicker_noise.step:MiriCleanFlickerNoise")
def flickering_columns(_: Any) -> Case:
    flat = {"SCI": plane(0.9, 1.1), "DQ": flags(0.05, DO_NOT_USE)}
    ramp = observed(INSTRUME="MIRI", EXP_TYPE="MIR_IMAGE", DETECTOR="MIRIMAGE", SUBARRAY="SUB256")
    return Case(ramp, {**noise(), "flat": flat}, {"single_mask": False})


@case_of(
    "heliodor_miri.steps.firstframe.step:FirstFrame", "heliodor_miri.steps.lastframe.step:LastFrame"
)
def first_and_last_frame(_: Any) -> Case:
    return Case(observed(INSTRUME="MIRI"))


@case_of("heliodor_miri.steps.refpix.step:MiriRefPix")
def refpix_of_miri(_: Any) -> Case:
    return Case(observed((1, 3, 1024, 1032), INSTRUME="MIRI"))


@case_of("heliodor_miri.steps.reset.step:Reset")
def reset(_: Any) -> Case:
    return Case(observed(), {"reset": {"SCI": plane(0, 30, (1, 9, NY, NX))}})


@case_of("heliodor_miri.steps.rscd.step:Rscd")
def rscd(_: Any) -> Case:
    table = np.array(
        [("FULL", "FASTR1", 3, 5)],
        [("subarray", "S9"), ("readpatt", "S9"), ("group_skip1", "i4"), ("group_skip", "i4")],
    )
    ramp = observed(INSTRUME="MIRI", SUBARRAY="FULL", READPATT="FASTR1", NINTS=2)
    return Case(ramp, {"rscd": {"RSCD_GROUP_SKIP": table}})


# ------------------------------------------------------------------ NIRSpec


def irs2(ngroups: int, nx: int) -> Ramp:
    keywords = {"INSTRUME": "NIRSPEC", "READPATT": "NRSIRS2RAPID", "DETECTOR": "NRS1"}
    ramp = observed((2, ngroups, 3200, nx), **keywords)
    ramp.zeroframe = None
    return ramp


@case_of("heliodor_nirspec.steps.saturation_irs2.step:Irs2Saturation")
def saturation_irs2(_: Any) -> Case:
    size = (2048, 16)
    limits = {"SCI": plane(20000, 60000, size), "DQ": flags(0.05, 2, size)}
    return Case(irs2(4, 16), {"saturation": limits, "superbias": plane(300, 600, (3200, 16))})


@case_of("heliodor_nirspec.steps.ipc_irs2.step:Irs2Ipc")
def ipc_irs2(_: Any) -> Case:
    weights = np.array([[0, -1, 0], [-1, 104, -1], [0, -1, 0]], np.float32) / 100
    return Case(irs2(2, 16), {"ipc": weights})


@case_of("heliodor_nirspec.steps.refpix_irs2.step:Irs2RefPix")
def refpix_irs2(_: Any) -> Case:
    ramp = irs2(2, LINES)
    ramp.data[:] = random().normal(1000, 6, ramp.shape)
    names = [f"{kind}_{k}" for k in range(4) for kind in ("ALPHA", "BETA")]
    table = np.empty(2 * 712 * LINES, [(name, "f4") for name in names])
    for name in names:
        table[name] = random().normal(0, 0.4, table.size)
    listed = np.array([(1, 1, 0)], [("OUTPUT", "i2"), ("ODD_EVEN", "i2"), ("MASK", "u4")])
    return Case(ramp, {"refpix": {"IRS2": table, "DQ": listed}}, {"irs2_mean_subtraction": True})


@case_of("heliodor_nirspec.steps.refpix_edgeless.step:EdgelessRefPix")
def refpix_edgeless(_: Any) -> Case:
    keywords = {"INSTRUME": "NIRSPEC", "SUBARRAY": "SUB512S", "NOUTPUTS": 1}
    place = {"SUBSTRT1": 545, "SUBSTRT2": 1043, "FASTAXIS": 2, "SLOWAXIS": 1}
    return Case(observed((2, 3, NY, 64), **keywords, **place))


# ------------------------------------------------------------------ FGS


@case_of("heliodor_fgs.steps.guider_cds.step:GuiderCDS")
def guide_star_acquired(_: Any) -> Case:
    return Case(observed((5, 2, NY, NX), EXP_TYPE="FGS_ACQ1"), noise())


@case_of("heliodor_fgs.steps.guider_cds.step:GuiderCDS")
def guide_star_identified(_: Any) -> Case:
    return Case(observed((2, 2, NY, NX), EXP_TYPE="FGS_ID-IMAGE"), noise())


@case_of("heliodor_fgs.steps.guider_cds.step:GuiderCDS")
def guide_star_followed(_: Any) -> Case:
    return Case(observed((9, 8, NY, NX), EXP_TYPE="FGS_FINEGUIDE"), noise())


@case_of("heliodor_fgs.steps.flat_field.step:FlatField")
def flat_of_guide_stars(_: Any) -> Case:
    planes = {name: plane(0, 9, (3, NY, NX)) for name in ("data", "err")}
    cal = Product("cal", "GuiderCalModel", {**planes, "dq": flags(0.1, 2)}, Keywords({}))
    flat = {"SCI": plane(0.9, 1.1), "ERR": plane(0, 0.1), "DQ": flags(0.05, DO_NOT_USE)}
    return Case(cal, {"flat": flat})


# ------------------------------------------------------------------ the tests


def test_every_installed_step_has_a_case():
    assert {offer.spec.impl for offer in OFFERS} - CASES.keys() == set(), "write a case of it"


def named(offer: Offer, make: Callable[[Any], Case]) -> Any:
    name = f"{offer.spec.name}-{offer.plugin.distribution}-{make.__name__}"
    return pytest.param(offer.spec, make, id=name)


every_case = pytest.mark.parametrize(
    ("spec", "make"),
    [named(offer, make) for offer in OFFERS for make in CASES.get(offer.spec.impl, ())],
)


@every_case
def test_pieces_and_threads_change_nothing(spec: StepSpec, make, tmp_path):
    case = make(tmp_path)
    _, outcome = check_pieces(spec, case.exposure, case.references, skip=False, **case.parameters)
    assert outcome.status == "COMPLETE", outcome.reason


@every_case
def test_scratch_changes_nothing(spec: StepSpec, make, tmp_path):
    case = make(tmp_path)
    if not isinstance(case.exposure, Ramp):
        pytest.skip("images stay in memory")
    check_scratch(spec, case.exposure, case.references, skip=False, **case.parameters)


@pytest.mark.parametrize("instrument", sorted({m.instrument for m in registry().modes.values()}))
def test_b13_many_workers_of_every_instrument_give_what_one_gives(instrument):
    """Jumps and slopes, where the operational pipeline's workers have failed."""
    mode = next(mode for mode in registry().modes.values() if mode.instrument == instrument)
    trusted = {registry().owner(mode).distribution, *mode.providers}
    results = []
    for threads in THREADS:
        ramp = observed((3, 8, NY, NX), INSTRUME=instrument)
        slopes: dict[str, Product] = {}
        for name in ("jump", "ramp_fit"):
            spec = registry().choose(name, ramp.keywords, trusted).spec
            slopes |= run_step(spec, ramp, noise(), threads=threads).products
        planes = {**slopes["rate"].planes, "ints": slopes["rateints"].planes["data"]}
        results.append({name: plane.tobytes() for name, plane in planes.items()})
        results[-1]["groupdq"] = ramp.groupdq.tobytes()
    assert np.isfinite(slopes["rate"].planes["data"]).mean() > 0.5
    assert all(result == results[0] for result in results)
