"""What reference files hold that differ for NIRISS, or belong to later stages."""

from __future__ import annotations

from heliodor.declare import Match, Part, ReferenceType

NIRISS = Match({"INSTRUME": ("NIRISS",)})

PHOTOM = ("filter", "pupil", "photmjsr|photmj", "uncertainty")
TRACE = ("wavelength", "x", "y", "throughput", "tilt")

REFERENCE_TYPES = (
    ReferenceType("photom", (Part("PHOTOM", columns=PHOTOM),), NIRISS),
    ReferenceType("area", (Part("SCI", "yx"),), NIRISS),
    ReferenceType("distortion", (Part("model"),), NIRISS),
    ReferenceType("filteroffset", (Part("filters"),), NIRISS),
    ReferenceType("abvegaoffset", (Part("abvega_offset"),), NIRISS),
    ReferenceType("pathloss", (Part("PS", "wab"), Part("PSVAR", "wab")), NIRISS),
    ReferenceType("spectrace", (Part("ORDER", columns=TRACE),), NIRISS),
    ReferenceType(
        "specwcs",
        (
            Part("orders", "o"), Part("displ", "o"), Part("dispx", "o"), Part("dispy", "o"),
            Part("invdispl", "o"), Part("fwcpos_ref"),
        ),
        NIRISS,
    ),
    ReferenceType(
        "wavelengthrange",
        (
            Part("wavelengthrange", "r"), Part("order"), Part("waverange_selector", "f"),
            Part("extract_orders", "f"),
        ),
        NIRISS,
    ),
)  # fmt: skip
