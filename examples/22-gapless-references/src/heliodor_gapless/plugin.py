"""What this distribution offers: a change of reference files."""

from __future__ import annotations

from heliodor.declare import TransformSpec
from heliodor.hookspecs import hookimpl


@hookimpl
def heliodor_transforms() -> list[TransformSpec]:
    """Offer the change; it is made where a pipeline asks for it."""
    return [TransformSpec("fill_gaps", ("linearity",), "heliodor_gapless.gaps:fill_gaps", "1.0")]
