"""What this distribution offers: the modes of NIRCam."""

from __future__ import annotations

from heliodor.declare import ModeSpec, ReferenceType
from heliodor.hookspecs import hookimpl

from heliodor_nircam.modes import MODES
from heliodor_nircam.reference_types import REFERENCE_TYPES


@hookimpl
def heliodor_modes() -> tuple[ModeSpec, ...]:
    """Offer the modes of NIRCam."""
    return MODES


@hookimpl
def heliodor_reference_types() -> tuple[ReferenceType, ...]:
    """Offer what the reference files of this instrument hold."""
    return REFERENCE_TYPES
