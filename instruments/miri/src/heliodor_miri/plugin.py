"""What this distribution offers: MIRI's modes, its detector stage, and the steps of its own."""

from __future__ import annotations

from heliodor.declare import ModeSpec, ReferenceType, Resource, StepSpec
from heliodor.hookspecs import hookimpl

from heliodor_miri.modes import MODES
from heliodor_miri.reference_types import REFERENCE_TYPES
from heliodor_miri.steps.clean_flicker_noise import SPEC as CLEAN_FLICKER_NOISE
from heliodor_miri.steps.emicorr import SPEC as EMICORR
from heliodor_miri.steps.firstframe import SPEC as FIRSTFRAME
from heliodor_miri.steps.ipc import SPEC as IPC
from heliodor_miri.steps.lastframe import SPEC as LASTFRAME
from heliodor_miri.steps.ramp_fit import SPEC as RAMP_FIT
from heliodor_miri.steps.refpix import SPEC as REFPIX
from heliodor_miri.steps.reset import SPEC as RESET
from heliodor_miri.steps.rscd import SPEC as RSCD

STEPS = (
    EMICORR,
    IPC,
    FIRSTFRAME,
    LASTFRAME,
    RESET,
    RSCD,
    REFPIX,
    CLEAN_FLICKER_NOISE,
    RAMP_FIT,
)
"""In the order of the pipeline."""


@hookimpl
def heliodor_modes() -> tuple[ModeSpec, ...]:
    """Offer the modes of MIRI."""
    return MODES


@hookimpl
def heliodor_steps() -> tuple[StepSpec, ...]:
    """Offer the steps that only MIRI has, and its own kinds of others."""
    return STEPS


@hookimpl
def heliodor_pipelines() -> list[Resource]:
    """Offer MIRI's detector stage, and that of its darks."""
    return [
        Resource("heliodor_miri", f"pipelines/{name}.yaml")
        for name in ("calwebb_detector1", "calwebb_dark")
    ]


@hookimpl
def heliodor_builds() -> list[Resource]:
    """Offer what changed in these steps from build to build."""
    return [Resource("heliodor_miri", "builds.yaml")]


@hookimpl
def heliodor_reference_types() -> tuple[ReferenceType, ...]:
    """Offer what the reference files of this instrument hold."""
    return REFERENCE_TYPES
