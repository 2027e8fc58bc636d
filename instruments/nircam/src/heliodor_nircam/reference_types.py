"""What reference files hold that differ for NIRCam, or belong to later stages."""

from __future__ import annotations

from heliodor.declare import Match, Part, ReferenceType

NIRCAM = Match({"INSTRUME": ("NIRCAM",)})

PHOTOM = ("filter", "pupil", "photmjsr|photmj", "uncertainty")

REFERENCE_TYPES = (
    ReferenceType("photom", (Part("PHOTOM", columns=PHOTOM),), NIRCAM),
    ReferenceType("psfmask", (Part("SCI", "yx"),), NIRCAM),
    ReferenceType("area", (Part("SCI", "yx"),), NIRCAM),
    ReferenceType("distortion", (Part("model"),), NIRCAM),
    ReferenceType("filteroffset", (Part("filters"),), NIRCAM),
    ReferenceType("abvegaoffset", (Part("abvega_offset"),), NIRCAM),
    ReferenceType(
        "specwcs",
        (
            Part("orders", "o"), Part("displ", "o"), Part("dispx", "o"), Part("dispy", "o"),
            Part("invdispl", "o"),
        ),
        NIRCAM,
    ),
    ReferenceType(
        "wavelengthrange",
        (
            Part("wavelengthrange", "r"), Part("order"), Part("waverange_selector", "f"),
            Part("extract_orders", "f"),
        ),
        NIRCAM,
    ),
)  # fmt: skip
