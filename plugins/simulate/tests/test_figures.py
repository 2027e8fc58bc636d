from __future__ import annotations

import subprocess
import sys

import pytest
from heliodor.declare import Match, ModeSpec, Resource
from heliodor.errors import UsageError
from heliodor_simulate import EFFECTS, arrange, read_figures
from heliodor_simulate.figures import can_be_simulated


def test_defaults(tiny):
    setup = arrange(tiny)
    assert (setup.detector, setup.subarray, setup.readpatt) == ("NRCB1", "FULL", "RAPID")
    assert (setup.size, setup.corner, setup.outputs) == ((160, 160), (1, 1), 4)
    assert setup.bandpass == "F200W"
    assert setup.effects == set(EFFECTS)


def test_subarray_has_the_corner_of_its_detector(tiny):
    setup = arrange(tiny, subarray="sub64p")
    assert (setup.corner, setup.size, setup.outputs) == ((97, 30), (64, 48), 1)
    # its right edge is the detector's: the last four columns are reference pixels
    assert setup.live == (slice(0, 48), slice(0, 60))


def test_window_keeps_the_frame_time_of_the_full_array(tiny):
    setup = arrange(tiny, size=(40, 24))
    assert (setup.subarray, setup.tframe, setup.outputs) == ("GENERIC", 10.0, 1)
    assert setup.shape == (24, 40)
    assert setup.live == (slice(4, 24), slice(4, 40))


def test_window_of_the_whole_detector_is_full_frame(tiny):
    assert arrange(tiny, size=160) == arrange(tiny)


def test_times_of_an_averaging_pattern(tiny):
    setup = arrange(tiny, readpatt="SHALLOW4", ngroups=3)
    assert setup.tgroup == 50.0
    assert setup.integration_time == 40.0 + 2 * 50.0


@pytest.mark.parametrize(
    ("filter", "pupil", "bandpass"),
    [
        (None, None, "F200W"),
        ("f150w", None, "F150W"),
        ("F162M", None, "F162M"),
        ("F150W2", "F162M", "F162M"),
        (None, "F162M", "F162M"),
    ],
)
def test_bandpass(tiny, filter, pupil, bandpass):
    assert arrange(tiny, filter=filter, pupil=pupil).bandpass == bandpass


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subarray": "SUB64"}, "Did you mean 'SUB64P'"),
        ({"subarray": "SUB64P", "detector": "NRCB2"}, "NRCB1"),
        ({"detector": "NRCA1"}, "Allowed: NRCB1, NRCB2"),
        ({"readpatt": "DEEP8"}, "read pattern 'DEEP8'"),
        ({"filter": "F200W", "pupil": "F162M"}, "F200W with pupil F162M"),
        ({"without": ["cosmic-ray"]}, "Did you mean 'cosmic-rays'"),
        ({"size": 8}, "not between 9"),
        ({"size": 161}, "160 x 160"),
        ({"ngroups": 0}, "at least 1 group"),
        ({"seed": -1}, "from 0"),
    ],
)
def test_what_is_not_there_is_refused(tiny, wrong, message):
    with pytest.raises(UsageError, match=message):
        arrange(tiny, **wrong)


def test_mode_without_figures_is_refused():
    mode = ModeSpec("fgs-imaging", "FGS imaging", "FGS", Match())
    with pytest.raises(UsageError, match="fgs-imaging"):
        read_figures(mode)


def test_unknown_figure_is_refused(tiny):
    with pytest.raises(UsageError, match="colour"):
        read_figures({**tiny.model_dump(), "colour": "blue"})


@pytest.mark.parametrize("instrument", ["nircam", "niriss"])
def test_figures_of_an_instrument(instrument):
    package = f"heliodor_{instrument}"
    pytest.importorskip(package)
    figures = read_figures(Resource(package, "simulation.yaml"))
    assert figures.instrument == instrument.upper()
    for name, array in figures.subarrays.items():
        # the array is read in columns + 12 times rows + 2 steps of 10 microseconds, and in four
        # parts in full frame; columns are those of the fast axis
        axes = next(iter(figures.detectors.values())).axes
        nx, ny = (array.size[abs(axis) - 1] for axis in (axes.fast, axes.slow))
        steps = (nx + 12) * (ny + 2) if array.outputs == 1 else (nx // 4 + 12) * (ny + 1) + 1
        assert array.tframe == pytest.approx(steps * 1e-5, abs=2e-6), name
        for detector in array.corners or figures.detectors:
            setup = arrange(figures, subarray=name, detector=detector)
            for start, length, full in zip(setup.corner, setup.size, figures.size, strict=True):
                assert 1 <= start <= full - length + 1


def test_declaring_the_plugin_imports_nothing_heavy():
    heavy = ("numpy", "astropy", "pydantic", "scipy", "yaml")
    code = (
        "import heliodor_simulate.plugin as p, sys; assert p.heliodor_commands();"
        f"assert not set({heavy}) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_mode_has_its_section(tiny):
    content = tiny.model_dump()
    content["modes"] = {
        "imaging": {"exp_type": "NRC_IMAGE"},
        "wfss": {
            "exp_type": "NRC_WFSS", "detectors": ["NRCB2"], "defaults": {"detector": "NRCB2"},
            "noise": {"flicker": 1.0}, "subarrays": ["FULL"],
        },
    }  # fmt: skip
    assert read_figures(content).exp_type == "NRC_IMAGE"
    figures = read_figures({**content, "modes": {"wfss": content["modes"]["wfss"]}})
    assert figures.exp_type == "NRC_WFSS"
    assert list(figures.detectors) == ["NRCB2"]
    assert list(figures.subarrays) == ["FULL"]
    assert (figures.noise.flicker, figures.noise.odd_even) == (1.0, 3.0)
    assert figures.defaults == {"detector": "NRCB2", "readpatt": "RAPID"}


def test_mode_without_section_cannot_be_simulated():
    pytest.importorskip("heliodor_fgs")
    instrument = Resource("heliodor_fgs", "simulation.yaml")
    modes = {
        name: ModeSpec(f"fgs-{name}", name, "FGS", Match(), simulation=instrument)
        for name in ("imaging", "dark")
    }
    assert can_be_simulated(modes["imaging"])
    assert not can_be_simulated(modes["dark"])
    with pytest.raises(UsageError, match="'dark' cannot be simulated"):
        read_figures(modes["dark"])


@pytest.mark.parametrize("instrument", ["miri", "nircam", "niriss", "nirspec", "fgs"])
def test_every_mode_with_a_detector_stage_has_figures(instrument):
    modes = pytest.importorskip(f"heliodor_{instrument}.modes").MODES
    for mode in modes:
        if mode.pipelines[1] != "calwebb_detector1":
            continue
        figures = read_figures(mode)
        assert figures.exp_type in mode.match.keywords["EXP_TYPE"]
        for readpatt in figures.patterns:
            subarray = "FULL" if figures.patterns[readpatt].tframe else None
            setup = arrange(figures, readpatt=readpatt, subarray=subarray)
            for start, length, full in zip(setup.corner, setup.size, figures.size, strict=True):
                assert 1 <= start <= full - length + 1
