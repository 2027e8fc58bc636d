"""What this distribution offers: the steps from raw ramps to slopes, and their pipeline."""

from __future__ import annotations

from heliodor.declare import ReferenceType, Resource, StepSpec
from heliodor.hookspecs import hookimpl

from heliodor_detector.reference_types import REFERENCE_TYPES
from heliodor_detector.steps.charge_migration import SPEC as CHARGE_MIGRATION
from heliodor_detector.steps.clean_flicker_noise import SPEC as CLEAN_FLICKER_NOISE
from heliodor_detector.steps.dark_current import SPEC as DARK_CURRENT
from heliodor_detector.steps.dq_init import SPEC as DQ_INIT
from heliodor_detector.steps.gain_scale import SPEC as GAIN_SCALE
from heliodor_detector.steps.group_scale import SPEC as GROUP_SCALE
from heliodor_detector.steps.ipc import SPEC as IPC
from heliodor_detector.steps.jump import SPEC as JUMP
from heliodor_detector.steps.linearity import SPEC as LINEARITY
from heliodor_detector.steps.persistence import SPEC as PERSISTENCE
from heliodor_detector.steps.picture_frame import SPEC as PICTURE_FRAME
from heliodor_detector.steps.ramp_fit import SPEC as RAMP_FIT
from heliodor_detector.steps.refpix import SPEC as REFPIX
from heliodor_detector.steps.refpix_stripes import SPEC as REFPIX_STRIPES
from heliodor_detector.steps.saturation import SPEC as SATURATION
from heliodor_detector.steps.superbias import SPEC as SUPERBIAS

STEPS = (
    GROUP_SCALE,
    DQ_INIT,
    SATURATION,
    IPC,
    SUPERBIAS,
    REFPIX,
    REFPIX_STRIPES,
    LINEARITY,
    DARK_CURRENT,
    CHARGE_MIGRATION,
    JUMP,
    PICTURE_FRAME,
    CLEAN_FLICKER_NOISE,
    PERSISTENCE,
    RAMP_FIT,
    GAIN_SCALE,
)
"""In the order of the near-infrared pipeline."""


@hookimpl
def heliodor_steps() -> tuple[StepSpec, ...]:
    """Offer the steps of the detector stage."""
    return STEPS


@hookimpl
def heliodor_reference_types() -> tuple[ReferenceType, ...]:
    """Offer what the reference files of these steps hold."""
    return REFERENCE_TYPES


@hookimpl
def heliodor_pipelines() -> list[Resource]:
    """Offer the detector stage, and that of darks, for the near-infrared instruments."""
    return [
        Resource("heliodor_detector", f"pipelines/{name}.yaml")
        for name in ("calwebb_detector1", "calwebb_dark")
    ]


@hookimpl
def heliodor_builds() -> list[Resource]:
    """Offer what changed from build to build, in these steps and where no package is yet."""
    return [
        Resource("heliodor_detector", f"builds/{name}.yaml")
        for name in ("detector", "later_stages")
    ]
