"""What this distribution offers: the modes of NIRSpec, and steps that know its detectors."""

from __future__ import annotations

from heliodor.declare import ModeSpec, ReferenceType, Resource, StepSpec
from heliodor.hookspecs import hookimpl

from heliodor_nirspec.modes import MODES
from heliodor_nirspec.reference_types import REFERENCE_TYPES
from heliodor_nirspec.steps.ipc_irs2 import SPEC as IPC_IRS2
from heliodor_nirspec.steps.refpix_edgeless import SPEC as REFPIX_EDGELESS
from heliodor_nirspec.steps.refpix_irs2 import SPEC as REFPIX_IRS2
from heliodor_nirspec.steps.saturation_irs2 import SPEC as SATURATION_IRS2

STEPS = (SATURATION_IRS2, IPC_IRS2, REFPIX_IRS2, REFPIX_EDGELESS)


@hookimpl
def heliodor_modes() -> tuple[ModeSpec, ...]:
    """Offer the modes of NIRSpec."""
    return MODES


@hookimpl
def heliodor_steps() -> tuple[StepSpec, ...]:
    """Offer the steps that differ from those of other near-infrared detectors."""
    return STEPS


@hookimpl
def heliodor_builds() -> list[Resource]:
    """Offer what changed in these steps from build to build."""
    return [Resource("heliodor_nirspec", "builds.yaml")]


@hookimpl
def heliodor_reference_types() -> tuple[ReferenceType, ...]:
    """Offer what the reference files of this instrument hold."""
    return REFERENCE_TYPES
