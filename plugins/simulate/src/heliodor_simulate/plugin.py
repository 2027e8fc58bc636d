"""What this distribution offers: ``heliodor simulate``, and references of what it simulates."""

from __future__ import annotations

from heliodor.declare import Command, SelectorSpec
from heliodor.hookspecs import hookimpl

TYPES = (
    "mask", "saturation", "linearity", "gain", "readnoise", "dark", "ipc", "flat", "superbias",
    "reset", "rscd", "emicorr", "pictureframe", "sirskernel", "refpix",
)  # fmt: skip
"""References that the simulator can make."""


@hookimpl
def heliodor_commands() -> list[Command]:
    """Offer the command."""
    return [
        Command(
            name="simulate",
            help="make a raw exposure and its reference files, with known truth",
            impl="heliodor_simulate.command:configure",
        )
    ]


@hookimpl
def heliodor_selectors() -> list[SelectorSpec]:
    """Offer references that are made up, after all others, and only when asked for."""
    return [SelectorSpec("made-up", 950, "heliodor_simulate.invented:Invented", TYPES)]
