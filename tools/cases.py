"""Exposures and parameters that the tools go through, and jobs for the incumbent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astropy.io import fits
from heliodor import api
from heliodor.plans import Plan
from heliodor.plugins import registry
from heliodor.references.selectors import Found

Parameters = Mapping[str, Any]

OPERATIONS: Parameters = {
    "ipc.skip": True,
    "jump.after_jump_flag_dn1": 1000.0,
    "jump.after_jump_flag_time1": 90.0,
}
"""Like the observatory's own, but for snowballs."""


PIPELINES = {
    "calwebb_detector1": "Detector1Pipeline",
    "calwebb_dark": "DarkPipeline",
    "calwebb_guider": "GuiderPipeline",
}
"""The incumbent's classes."""

OPTIONS: Mapping[str, Parameters] = {"DarkPipeline": {"suffix": "dark"}}
"""What the observatory's parameter references set in the classes themselves."""


@dataclass(frozen=True)
class Case:
    """An exposure to be simulated, and the parameters it is calibrated with.

    Attributes
    ----------
    name : of the case
    mode : of the simulator
    exposure : its arguments: ``size``, ``subarray``, ``ngroups``, ``nints``, ``readpatt`` ...
    parameters : by ``step.parameter``; the two pipelines call them the same
    own : parameters that only Heliodor has: they ask for what `jwst` does in any case
    keywords : of its header that are changed afterwards
    segment : which one it is, of how many, if it is cut into segments
    """

    name: str
    mode: str
    exposure: Mapping[str, Any] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)
    own: Parameters = field(default_factory=dict)
    keywords: Mapping[str, Any] = field(default_factory=dict)
    segment: tuple[int, int] | None = None


def _window(ngroups: int, nints: int = 1, **more: Any) -> dict[str, Any]:
    return {"size": 256, "ngroups": ngroups, "nints": nints, **more}


_FULL = {"ngroups": 2}
_STRIPED = {"ipc.skip": True}
_TWO = _window(10, 2)
_DARK = _window(10, 2, without=("sources", "sky"))
_SEGMENTED = _window(8, 5, readpatt="BRIGHT2")
_WIDE = {"size": (1024, 512), "ngroups": 6, "nints": 2, "readpatt": "DEEP8"}
_AS_JWST = {"jump.large_events_as_jwst": True, "ramp_fit.likely_as_jwst": True}
_SMALL = {"size": 64, "ngroups": 8, "nints": 2}
_LIKELY = {"ramp_fit.algorithm": "LIKELY", "ramp_fit.save_opt": True}
_BRIGHT = {"subarray": "SUB160", "ngroups": 6, "nints": 3}

PARITY = (
    Case("defaults", "nircam-imaging", _TWO),
    Case("operations", "nircam-imaging", _TWO, OPERATIONS),
    Case("one group", "nircam-imaging", _window(1)),
    Case("one group kept", "nircam-imaging", _window(1), {"ramp_fit.suppress_one_group": False}),
    Case("two groups", "nircam-imaging", _window(2)),
    Case("three groups", "nircam-imaging", _window(3, 2)),
    Case("four groups", "nircam-imaging", _window(4)),
    Case("long ramp", "nircam-imaging", _window(40), OPERATIONS),
    Case("averaged frames, first frame", "nircam-imaging", _window(6, 2, readpatt="SHALLOW4")),
    Case(
        "two frames, one group kept", "nircam-imaging", _window(5, readpatt="BRIGHT2"),
        {"ramp_fit.suppress_one_group": False},
    ),
    Case("gaps", "nircam-imaging", _window(5, readpatt="BRIGHT1", detector="NRCB1")),
    Case("segments", "nircam-imaging", _TWO, {"ramp_fit.save_opt": True},
         {"ramp_fit.pedestal_as_jwst": True}),
    Case("likelihood", "nircam-imaging", _TWO, _LIKELY, _AS_JWST),
    Case("likelihood, long ramp", "nircam-imaging", _window(40), {**OPERATIONS, **_LIKELY},
         _AS_JWST),
    Case("part of the groups", "nircam-imaging", _TWO,
         {"ramp_fit.firstgroup": 1, "ramp_fit.lastgroup": 7}),
    Case("reference pixels, all columns", "nircam-imaging", _TWO,
         {"refpix.odd_even_columns": False}),
    Case("reference pixels, no sides", "nircam-imaging", _TWO,
         {"refpix.use_side_ref_pixels": False}),
    Case("saturation not grown", "nircam-imaging", _TWO, {"saturation.n_pix_grow_sat": 0}),
    Case("jump thresholds", "nircam-imaging", _TWO,
         {"jump.rejection_threshold": 3.5, "jump.flag_4_neighbors": False}),
    Case("jumps in one pass", "nircam-imaging", _window(14), {"jump.min_diffs_single_pass": 5}),
    Case("snowballs", "nircam-imaging", _WIDE,
         {"jump.expand_large_events": True, "ipc.skip": True}, _AS_JWST),
    Case("showers", "nircam-imaging",
         {"size": (512, 256), "ngroups": 9, "nints": 2, "readpatt": "DEEP8"},
         {"jump.find_showers": True, "jump.extend_snr_threshold": 1.0,
          "jump.extend_min_area": 40, "jump.max_shower_amplitude": 0.01, "ipc.skip": True},
         _AS_JWST),
    Case("time series", "nircam-imaging",
         {"subarray": "SUB64P", "detector": "NRCB1", "ngroups": 5, "nints": 120}),
    Case("time series, all groups", "nircam-imaging",
         {"subarray": "SUB64P", "detector": "NRCB1", "ngroups": 5, "nints": 120},
         {"jump.only_use_ints": False}),
    Case("subarray", "nircam-imaging", {**_BRIGHT, "detector": "NRCB3"}, OPERATIONS),
    Case("long wave", "nircam-imaging", {**_BRIGHT, "detector": "NRCBLONG"}),
    Case("superstripes", "nircam-imaging",
         {"subarray": "SUB64P_SUPSTP008", "ngroups": 5, "nints": 3, "sky": 20000.0}, _STRIPED),
    Case("superstripes, averaged frames, first frame", "nircam-imaging",
         {"subarray": "SUB64P_SUPSTP008", "ngroups": 4, "nints": 2, "sky": 20000.0,
          "readpatt": "BRIGHT2"}, {**_STRIPED, "ramp_fit.suppress_one_group": False}),
    Case("superstripes with reference pixels", "niriss-soss",
         {"subarray": "SUB680STRIPE_SOSS", "ngroups": 4, "nints": 2, "sky": 300.0,
          "readpatt": "NIS"}, _STRIPED),
    Case("superstripes, all columns", "niriss-soss",
         {"subarray": "SUB204STRIPE_SOSS", "ngroups": 5, "nints": 1, "sky": 300.0},
         {**_STRIPED, "refpix.odd_even_columns": False}),
    Case("stripes", "nircam-tsgrism",
         {"subarray": "SUB164STRIPE4_DHS", "ngroups": 5, "nints": 2, "sky": 100.0}, _STRIPED),
    Case("full frame", "nircam-imaging", _FULL),
    Case(
        "full frame, amplifiers alone", "nircam-imaging", _FULL,
        {"refpix.use_side_ref_pixels": False, "refpix.odd_even_columns": False},
    ),
    Case("full frame, SIRS", "nircam-imaging", _FULL, {"refpix.refpix_algorithm": "sirs"}),
    Case("NIRISS full frame, SIRS", "niriss-imaging", _FULL,
         {"refpix.refpix_algorithm": "sirs", "refpix.sigreject": 3.0, "refpix.gaussmooth": 2.0,
          "refpix.halfwidth": 50}),
    Case("NIRISS full frame", "niriss-imaging", _FULL),
    Case("NIRISS", "niriss-imaging", _TWO),
    Case("NIRISS, averaged frames", "niriss-imaging", _window(5, 2, readpatt="NIS")),
    Case("NIRISS subarray", "niriss-imaging", {"subarray": "SUB128", "ngroups": 8, "nints": 2},
         OPERATIONS),
    Case("dark", "nircam-imaging", _DARK, keywords={"EXP_TYPE": "NRC_DARK"}),
    Case("dark, averaged frames", "nircam-imaging", {**_DARK, "readpatt": "SHALLOW4"},
         keywords={"EXP_TYPE": "NRC_DARK"}),
    Case("first segment", "nircam-imaging", _SEGMENTED, segment=(1, 2)),
    Case("second segment", "nircam-imaging", _SEGMENTED, segment=(2, 2)),
    Case("NIRISS dark", "niriss-imaging", _DARK, keywords={"EXP_TYPE": "NIS_DARK"}),
    *(
        Case(f"dark {exp_type}", mode, _DARK, keywords={"EXP_TYPE": exp_type})
        for mode, exp_type in (
            ("miri-imaging", "MIR_DARKALL"), ("miri-imaging", "MIR_DARKIMG"),
            ("miri-mrs", "MIR_DARKMRS"), ("nirspec-ifu", "NRS_DARK"), ("fgs-imaging", "FGS_DARK"),
        )
    ),
    Case("guide star identification", "fgs-id", {"size": 256, "ngroups": 2, "nints": 2}),
    Case("guide star acquisition", "fgs-acq", {"ngroups": 2, "nints": 6}),
    Case("guide star track", "fgs-track", {"ngroups": 2, "nints": 100}),
    Case("guide star fine guiding", "fgs-fineguide", {"ngroups": 8, "nints": 200}),
    Case("MIRI first segment", "miri-imaging", _window(8, 5), segment=(1, 2)),
    Case("MIRI second segment", "miri-imaging", _window(8, 5), segment=(2, 2)),
    Case("MIRI", "miri-imaging", _window(12, 3)),
    Case("MIRI, operations", "miri-imaging", _window(12, 3), OPERATIONS),
    Case("MIRI full frame", "miri-imaging", {"ngroups": 6, "nints": 2}),
    Case("MIRI full frame, all rows", "miri-imaging", {"ngroups": 6, "nints": 2},
         {"refpix.odd_even_rows": False, "firstframe.skip": False}),
    Case("MIRI, interference", "miri-imaging", {"subarray": "SUB64", "ngroups": 40, "nints": 3,
         "also": ("interference",)}, {"emicorr.skip": False}),
    Case("MIRI full frame, interference", "miri-mrs", {"ngroups": 6, "also": ("interference",)},
         {"emicorr.skip": False}),
    Case("MIRI few groups", "miri-imaging", _window(4, 2)),
    Case("MIRI two groups", "miri-imaging", _window(2, 2)),
    Case("MIRI slow", "miri-imaging", _window(6, readpatt="SLOWR1")),
    Case("MIRI averaged on board", "miri-ta", _window(8)),
    Case("MIRI subarray", "miri-imaging", {"subarray": "SUB256", "ngroups": 10, "nints": 2}),
    Case("MIRI time series", "miri-lrs-slitless", {"ngroups": 8, "nints": 20}),
    Case("NIRSpec", "nirspec-ifu", _window(8)),
    Case("NIRSpec NRS2, averaged frames", "nirspec-mos",
         _window(6, detector="NRS2", readpatt="NRS")),
    Case("NIRSpec full frame", "nirspec-ifu", _FULL),
    Case("NIRSpec slit", "nirspec-fixedslit", {"ngroups": 6, "nints": 2}),
    Case("NIRSpec all slits", "nirspec-fixedslit", {"subarray": "ALLSLITS", "ngroups": 3}),
    Case("NIRSpec time series", "nirspec-brightobj", {"ngroups": 4, "nints": 12}),
    Case("NIRSpec without edges", "nirspec-brightobj",
         {"subarray": "SUB512", "ngroups": 5, "nints": 5}),
    Case("NIRSpec target", "nirspec-ta", {"ngroups": 5, "nints": 2}),
    Case("IRS2", "nirspec-ifu", {"readpatt": "NRSIRS2RAPID", "ngroups": 3}),
    Case("IRS2 NRS2, averaged frames, bad reference pixels", "nirspec-ifu",
         {"readpatt": "NRSIRS2", "ngroups": 3, "detector": "NRS2",
          "also": ("bad-reference-pixels",)}),
    Case("FGS", "fgs-imaging", _window(8)),
    Case("FGS 2, averaged frames", "fgs-imaging", _window(6, detector="GUIDER2", readpatt="FGS")),
    Case("FGS full frame", "fgs-imaging", _FULL),
    Case("FGS subarray", "fgs-imaging", {"subarray": "SUB128CNTR", "ngroups": 6, "nints": 2}),
    *(
        Case(f"mode {mode}", mode, _SMALL)
        for mode in (
            "nircam-wfss", "nircam-coron", "nircam-tsimage", "nircam-tsgrism", "nircam-ta",
            "nircam-focus", "nircam-lamps", "niriss-wfss", "niriss-soss", "niriss-ami",
            "niriss-ta", "niriss-focus", "niriss-lamps", "miri-lrs-slit", "miri-mrs", "miri-wfss",
            "miri-coron", "miri-coroncal", "miri-flats", "nirspec-mos", "nirspec-imaging",
            "nirspec-focus", "nirspec-lamps", "fgs-focus", "fgs-lamps",
        )
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Input:
    """A raw exposure, and where its references are."""

    exposure: Path
    references: Path


def simulated(case: Case, folder: Path) -> Input:
    """Make the exposure of a case, unless it is there already."""
    from heliodor_simulate import simulate, split

    made = {**case.exposure, **case.keywords}
    if case.segment:
        made["segment"] = case.segment
    arguments = "_".join(f"{name}-{_text(made[name])}" for name in sorted(made))
    place = folder / f"{case.mode}_{arguments}"
    if not list(place.glob("*_uncal.fits")):
        done = simulate(
            api.modes()[case.mode], place, references=place / "references", **case.exposure
        )
        with fits.open(done.exposure, mode="update") as hdus:
            hdus[0].header.update(case.keywords)
        if case.segment:
            number, total = case.segment
            segments = split(done.exposure, total)
            for path in {done.exposure, *segments} - {segments[number - 1]}:
                path.unlink()
    return Input(next(place.glob("*_uncal.fits")), place / "references")


def _text(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def found(inputs: Path, references: Path) -> Iterator[tuple[str, Input, Parameters]]:
    """Go through the exposures of a folder, each with defaults and with those of operations."""
    for exposure in sorted(inputs.glob("*_uncal.fits")):
        keywords = fits.getheader(exposure)
        named = ("EXP_TYPE", "DETECTOR", "SUBARRAY", "READPATT")
        name = " ".join(str(keywords[key]) for key in named if key in keywords)
        name += f" {keywords['NGROUPS']}x{keywords['NINTS']}"
        yield f"{name}, defaults", Input(exposure, references), {}
        if registry().recognise(keywords).pipelines[1] == "calwebb_detector1":
            yield f"{name}, operations", Input(exposure, references), OPERATIONS


INCUMBENT = Path(__file__).with_name("incumbent.py")


def run_incumbent(
    python: str, jobs: Sequence[dict[str, Any]], folder: Path
) -> list[dict[str, Any]]:
    """Run jobs in one process of the incumbent; give what incumbent.py reports of each.

    Parameters
    ----------
    python : the interpreter that has `jwst`
    jobs : of `job`
    folder : for the list of jobs
    """
    script = folder / "jobs.json"
    script.write_text(json.dumps(jobs))
    command = [python, str(INCUMBENT), str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{python} {INCUMBENT} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def job(
    plan: Plan, out: Path, parameters: Parameters | None = None, keep: Sequence[str] = ()
) -> dict[str, Any]:
    """Give incumbent.py the same exposure with the same references."""
    answers = {name: answer for step in plan.steps for name, answer in step.references.items()}
    pipeline = PIPELINES[plan.pipeline.document.name]
    return {
        "pipeline": pipeline,
        "options": dict(OPTIONS.get(pipeline, {})),
        "input": str(plan.exposure.path),
        "out": str(out),
        "references": {
            name: str(answer.path) for name, answer in answers.items() if isinstance(answer, Found)
        },
        "parameters": dict(parameters or {}),
        "keep": list(keep),
    }
