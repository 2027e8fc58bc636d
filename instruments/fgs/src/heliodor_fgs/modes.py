"""The modes of FGS, by EXP_TYPE."""

from __future__ import annotations

from dataclasses import replace

from heliodor.declare import Instrument, Layout, Match, Resource

FGS = Instrument(
    "FGS",
    "FGS",
    providers=("heliodor-detector",),
    layout=Layout(full=(2048, 2048), outputs=4, planes=("ZEROFRAME",)),
    simulation=Resource("heliodor_fgs", "simulation.yaml"),
    detectors=("GUIDER1", "GUIDER2"),
)

GUIDER = replace(FGS, layout=Layout(full=(2048, 2048), outputs=4, ramp="GuiderRawModel"))
"""FGS as it guides: raw data without flags of groups, and with tables of its own."""

IMAGE = ("calwebb_detector1", "calwebb_image2")
# the guider's pipeline goes from raw data to calibrated images in one
STARS = ("calwebb_guider",)

MODES = (
    FGS.mode("imaging", "imaging", ("FGS_IMAGE",), (*IMAGE, "calwebb_image3")),
    FGS.mode("focus", "focus", ("FGS_FOCUS",), IMAGE),
    FGS.mode("lamps", "flats", ("FGS_SKYFLAT", "FGS_INTFLAT"), IMAGE[:1]),
    FGS.mode("dark", "darks", ("FGS_DARK",), ("calwebb_dark",)),
    GUIDER.mode("id", "guide star identification", ("FGS_ID-STACK", "FGS_ID-IMAGE"), STARS),
    GUIDER.mode("acq", "guide star acquisition", ("FGS_ACQ1", "FGS_ACQ2"), STARS),
    GUIDER.mode("track", "guide star tracking", ("FGS_TRACK",), STARS),
    GUIDER.mode("fineguide", "fine guiding", ("FGS_FINEGUIDE",), STARS),
)

GUIDING = Match(
    {
        "INSTRUME": ("FGS",),
        "EXP_TYPE": tuple(
            kind
            for mode in MODES
            if mode.layout is GUIDER.layout
            for kind in mode.match.keywords["EXP_TYPE"]
        ),
    }
)
"""Guide star exposures, whatever their mode."""
