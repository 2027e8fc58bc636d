"""References that are made up: only for what was simulated, only when asked for, and marked."""

from __future__ import annotations

import pytest
from astropy.io import fits
from heliodor import receipt
from heliodor.api import lock, plan, run
from heliodor.errors import ReferenceError
from heliodor.observers import Observer
from heliodor.references import prefetch
from heliodor_simulate import simulate
from heliodor_simulate.invented import CAVEAT
from heliodor_simulate.plugin import TYPES

CASES = [
    ("nircam-imaging", {"size": 64, "seed": 3, "without": ["snowballs", "bad-pixels"]}),
    ("niriss-imaging", {"subarray": "SUB64"}),
    ("miri-imaging", {"size": (64, 48), "also": ["interference"], "nints": 2}),
    ("nirspec-ifu", {"size": 40, "readpatt": "NRSIRS2RAPID"}),
]


def changed(path, **keywords):
    """Change keywords of an exposure; None removes one."""
    with fits.open(path, "update") as hdus:
        for name, value in keywords.items():
            if value is None:
                del hdus[0].header[name]
            else:
                hdus[0].header[name] = value
    return path


@pytest.fixture
def exposure(tmp_path, registry):
    return simulate(registry.modes["nircam-imaging"], tmp_path, size=64, ngroups=4).exposure


@pytest.fixture
def registry():
    from heliodor.plugins import registry

    return registry()


@pytest.mark.parametrize(("mode", "arguments"), CASES)
def test_they_are_what_the_simulator_would_have_written(tmp_path, registry, mode, arguments):
    made = simulate(
        registry.modes[mode], tmp_path, ngroups=4, references=tmp_path / "refs", **arguments
    )
    planned = plan(made.exposure, not_for_science=True)
    prefetch.for_plans([planned], Observer())
    found = {name: path for step in planned.steps for name, path in step.files.items()}
    assert set(found) >= {"mask", "dark", "gain", "readnoise", "linearity", "saturation"}
    for name, path in found.items():
        assert path.name == f"not-for-science_{made.references[name].name}"
        assert path.read_bytes() == made.references[name].read_bytes(), name


def test_the_simulator_names_all_types_that_it_makes(tmp_path, registry):
    kinds = set()
    for mode, arguments in CASES:
        made = simulate(registry.modes[mode], tmp_path, references=tmp_path / "refs", **arguments)
        kinds |= set(made.references)
    assert set(TYPES) == kinds | {"pictureframe", "sirskernel"}  # of the full frame only


def test_it_stands_everywhere_that_they_are_not_for_science(exposure, tmp_path, caplog):
    out = tmp_path / "products"
    result = run(exposure, not_for_science=True, save=True, out=out, threads=1)
    assert result.plan.caveat == CAVEAT == result.plan.to_dict()["caveat"]
    assert f"{exposure.name}: {CAVEAT}" in caplog.text
    for path in result.paths.values():
        header = fits.getheader(path)
        assert header["CAVEAT"] == CAVEAT
        assert header["R_GAIN"] == "not-for-science_nircam_nrca1_64x64_gain.fits"
        steps = {step["name"]: step for step in receipt.read(path)["steps"]}
        assert {each["caveat"] for each in steps["jump"]["references"]} == {CAVEAT}


def test_nothing_is_made_up_unless_asked_for(exposure):
    planned = plan(exposure)
    assert planned.missing
    assert planned.caveat == ""
    with pytest.raises(ReferenceError, match="made-up: only with --not-for-science"):
        run(exposure)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"SIM_SEED": None}, "made-up: this exposure was not simulated"),
        ({"SIM_FIGS": "00000000"}, "made-up: SIM_FIGS is 00000000, and "),
        ({"TFRAME": 2.5}, "made-up: TFRAME is 2.5, and "),
        ({"READPATT": "NONSENSE"}, "made-up: There is no read pattern"),
    ],
)
def test_nothing_is_made_up_for_other_data(exposure, keywords, said):
    with pytest.raises(ReferenceError, match=said):
        run(changed(exposure, **keywords), not_for_science=True)


def test_what_is_there_is_preferred(tmp_path, registry):
    made = simulate(
        registry.modes["nircam-imaging"], tmp_path, size=64, ngroups=4, references=tmp_path / "refs"
    )
    planned = plan(made.exposure, folders=tmp_path / "refs", not_for_science=True)
    assert (planned.caveat, planned.missing) == ("", ())


def test_they_cannot_be_locked(exposure):
    with pytest.raises(ReferenceError, match=f"cannot be locked: {CAVEAT}"):
        lock([exposure], not_for_science=True)


def test_a_plan_makes_none(tmp_path, registry):
    mode = registry.modes["nircam-imaging"]
    planned = plan(simulate(mode, tmp_path, size=32, seed=77).exposure, not_for_science=True)
    assert {"gain", "dark"} <= {name for name, _ in planned.absent}
