"""The modes of MIRI, by EXP_TYPE."""

from __future__ import annotations

from heliodor.declare import Instrument, Layout, Resource

MIRI = Instrument(
    "MIRI",
    "MIRI",
    providers=("heliodor-detector",),
    layout=Layout(full=(1032, 1024), outputs=4),
    simulation=Resource("heliodor_miri", "simulation.yaml"),
    detectors=("MIRIMAGE", "MIRIFUSHORT", "MIRIFULONG"),
)

IMAGE = ("calwebb_detector1", "calwebb_image2")
SPECTRA = ("calwebb_detector1", "calwebb_spec2", "calwebb_spec3")
TIME_SERIES = ("calwebb_detector1", "calwebb_spec2", "calwebb_tso3")

MODES = (
    MIRI.mode("imaging", "imaging", ("MIR_IMAGE",), (*IMAGE, "calwebb_image3")),
    MIRI.mode("lrs-slit", "low resolution spectroscopy, slit", ("MIR_LRS-FIXEDSLIT",), SPECTRA),
    MIRI.mode(
        "lrs-slitless",
        "low resolution spectroscopy, slitless",
        ("MIR_LRS-SLITLESS",),
        TIME_SERIES,
    ),
    MIRI.mode("mrs", "medium resolution spectroscopy", ("MIR_MRS",), SPECTRA),
    MIRI.mode("wfss", "wide field slitless spectroscopy", ("MIR_WFSS",), SPECTRA),
    MIRI.mode("coron", "coronagraphy", ("MIR_LYOT", "MIR_4QPM"), (*IMAGE, "calwebb_coron3")),
    MIRI.mode("coroncal", "coronagraph calibration", ("MIR_CORONCAL",), IMAGE),
    MIRI.mode("ta", "target acquisition", ("MIR_TACQ", "MIR_TACONFIRM"), IMAGE),
    MIRI.mode(
        "flats",
        "flats",
        ("MIR_FLATIMAGE", "MIR_FLATIMAGE-EXT", "MIR_FLATMRS", "MIR_FLATMRS-EXT"),
        IMAGE[:1],
    ),
    MIRI.mode("dark", "darks", ("MIR_DARKALL", "MIR_DARKIMG", "MIR_DARKMRS"), ("calwebb_dark",)),
)
