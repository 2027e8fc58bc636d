"""The core's own plugin: selectors that need nothing else installed, and the table of builds."""

from __future__ import annotations

from heliodor.declare import Resource, SelectorSpec
from heliodor.hookspecs import hookimpl


@hookimpl
def heliodor_selectors() -> list[SelectorSpec]:
    """Offer overrides, the user's folder, and what the exposure itself names."""
    return [
        SelectorSpec("override", 0, "heliodor.references.selectors:Override"),
        SelectorSpec("folder", 100, "heliodor.references.selectors:Folder"),
        SelectorSpec("embedded", 900, "heliodor.references.selectors:Embedded"),
    ]


@hookimpl
def heliodor_builds() -> list[Resource]:
    """Offer the table of operational builds; what changed between them is the plugins' to say."""
    return [Resource("heliodor", "builds/table.yaml")]
