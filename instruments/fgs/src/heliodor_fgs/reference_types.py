"""What reference files hold that differ for FGS, or belong to later stages."""

from __future__ import annotations

from heliodor.declare import Match, Part, ReferenceType

FGS = Match({"INSTRUME": ("FGS",)})

REFERENCE_TYPES = (
    ReferenceType("photom", (Part("PHOTOM", columns=("photmjsr", "uncertainty")),), FGS),
    ReferenceType("area", (Part("SCI", "yx"),), FGS),
    ReferenceType("distortion", (Part("model"),), FGS),
    ReferenceType("abvegaoffset", (Part("abvega_offset"),), FGS),
)
