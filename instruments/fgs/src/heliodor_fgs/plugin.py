"""What this distribution offers: the modes of FGS, and its pipeline of guide stars."""

from __future__ import annotations

from heliodor.declare import ModeSpec, ReferenceType, Resource, StepSpec
from heliodor.hookspecs import hookimpl

from heliodor_fgs.modes import MODES
from heliodor_fgs.reference_types import REFERENCE_TYPES
from heliodor_fgs.steps.dq_init import SPEC as DQ_INIT
from heliodor_fgs.steps.flat_field import SPEC as FLAT_FIELD
from heliodor_fgs.steps.guider_cds import SPEC as GUIDER_CDS

STEPS = (DQ_INIT, GUIDER_CDS, FLAT_FIELD)
"""In the order of the pipeline."""


@hookimpl
def heliodor_modes() -> tuple[ModeSpec, ...]:
    """Offer the modes of FGS."""
    return MODES


@hookimpl
def heliodor_steps() -> tuple[StepSpec, ...]:
    """Offer the steps of guide star exposures."""
    return STEPS


@hookimpl
def heliodor_pipelines() -> list[Resource]:
    """Offer the pipeline of guide star exposures."""
    return [Resource("heliodor_fgs", "pipelines/calwebb_guider.yaml")]


@hookimpl
def heliodor_builds() -> list[Resource]:
    """Offer what changed in these steps from build to build."""
    return [Resource("heliodor_fgs", "builds.yaml")]


@hookimpl
def heliodor_reference_types() -> tuple[ReferenceType, ...]:
    """Offer what the reference files of this instrument hold."""
    return REFERENCE_TYPES
