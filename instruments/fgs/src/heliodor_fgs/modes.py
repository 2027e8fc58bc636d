"""The modes of FGS, by EXP_TYPE."""

from __future__ import annotations

from heliodor.declare import Instrument, Layout, Resource

FGS = Instrument(
    "FGS",
    "FGS",
    providers=("heliodor-detector",),
    layout=Layout(full=(2048, 2048), outputs=4, planes=("ZEROFRAME",)),
    simulation=Resource("heliodor_fgs", "simulation.yaml"),
)

IMAGE = ("calwebb_detector1", "calwebb_image2")
# the guider's pipeline goes from raw data to calibrated images in one
GUIDER = ("calwebb_guider",)

MODES = (
    FGS.mode("imaging", "imaging", ("FGS_IMAGE",), (*IMAGE, "calwebb_image3")),
    FGS.mode("focus", "focus", ("FGS_FOCUS",), IMAGE),
    FGS.mode("lamps", "flats", ("FGS_SKYFLAT", "FGS_INTFLAT"), IMAGE[:1]),
    FGS.mode("dark", "darks", ("FGS_DARK",), ("calwebb_dark",)),
    FGS.mode("id", "guide star identification", ("FGS_ID-STACK", "FGS_ID-IMAGE"), GUIDER),
    FGS.mode("acq", "guide star acquisition", ("FGS_ACQ1", "FGS_ACQ2"), GUIDER),
    FGS.mode("track", "guide star tracking", ("FGS_TRACK",), GUIDER),
    FGS.mode("fineguide", "fine guiding", ("FGS_FINEGUIDE",), GUIDER),
)
