"""What this distribution offers: references by the rules of CRDS."""

from __future__ import annotations

from heliodor.declare import SelectorSpec
from heliodor.hookspecs import hookimpl


@hookimpl
def heliodor_selectors() -> list[SelectorSpec]:
    """Offer the selector; without CRDS_PATH it knows nothing, and asks nobody."""
    return [SelectorSpec("crds", 300, "heliodor_crds.selector:Crds")]
