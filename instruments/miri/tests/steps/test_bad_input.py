"""References of MIRI's own steps that are not what they should be: the file is named, and what."""

import asdf
import numpy as np
import pytest
from heliodor.errors import ReferenceError
from heliodor.testing import run_step
from heliodor_miri.steps.emicorr import SPEC as EMICORR
from heliodor_miri.steps.reset import SPEC as RESET
from heliodor_miri.steps.rscd import SPEC as RSCD

SHAPE = (2, 6, 12, 16)
READOUT = {"SUBARRAY": "SUB64", "READPATT": "FASTR1", "DETECTOR": "MIRIMAGE"}


@pytest.fixture
def refused(make_ramp):
    """Run a step with a reference that it must refuse; give the message."""

    def run(spec, reference, **params):
        ramp = make_ramp(np.zeros(SHAPE), **READOUT)
        with pytest.raises(ReferenceError) as told:
            run_step(spec, ramp, {spec.name: reference}, skip=False, **params)
        assert not ramp.data.any()
        return str(told.value)

    return run


# ------------------------------------------------------------------ emicorr


@pytest.fixture
def waves(tmp_path):
    """Write a reference of one wave, having changed its tree; returns its path."""

    def write(change=lambda tree: None):
        wave = {"frequency": 390.625, "phase_amplitudes": [0.0, 1.0, 0.0, -1.0]}
        clock = {"rowclocks": 28, "frameclocks": 8512, "freqs": {"FAST": ["Hz390"]}}
        tree = {"frequencies": {"Hz390": wave}, "subarray_cases": {"SUB64": clock}}
        change(tree)
        path = tmp_path / "waves.asdf"
        asdf.AsdfFile(tree).write_to(path)
        return path

    return write


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((), "frequencies"),
        ((), "subarray_cases"),
        (("frequencies",), "Hz390"),
        (("frequencies", "Hz390"), "frequency"),
        (("frequencies", "Hz390"), "phase_amplitudes"),
        (("subarray_cases", "SUB64"), "rowclocks"),
        (("subarray_cases", "SUB64"), "frameclocks"),
    ],
)
def test_an_entry_is_missing(refused, waves, place, name):
    def remove(tree):
        for each in place:
            tree = tree[each]
        del tree[name]

    message = refused(EMICORR, path := waves(remove))
    assert f"{path}: this emicorr reference has no '{name}'" in message
    assert "each with frequency and phase_amplitudes" in message


@pytest.mark.parametrize("wrong", [np.nan, np.inf, "much", [1.0, 2.0]])
def test_amplitudes_must_be_finite_numbers(refused, waves, wrong):
    def spoil(tree):
        tree["frequencies"]["Hz390"]["phase_amplitudes"][1] = wrong

    assert f"{waves(spoil)}: " in refused(EMICORR, waves(spoil))


@pytest.mark.parametrize("wrong", [0.0, "fast"])
def test_a_frequency_must_be_a_number(refused, waves, wrong):
    def spoil(tree):
        tree["frequencies"]["Hz390"]["frequency"] = wrong

    assert f"{waves(spoil)}: " in refused(EMICORR, waves(spoil))


@pytest.mark.parametrize("wrong", [{"frequencies": []}, {"subarray_cases": 7}])
def test_a_tree_of_another_form(refused, waves, wrong):
    assert f"{waves(lambda tree: tree.update(wrong))}: " in refused(
        EMICORR, waves(lambda tree: tree.update(wrong))
    )


def test_a_truncated_tree(refused, waves):
    path = waves()
    path.write_bytes(path.read_bytes()[:-30])
    assert f"{path}: not a readable ASDF file" in refused(EMICORR, path)


# ------------------------------------------------------------------ reset


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((3, 12, 16), "has the axes integration, group, y, x; this one has the shape (3, 12, 16)"),
        ((1, 3, 10, 16), "16 x 10 pixels and does not hold the exposure's 16 x 12"),
        ((1, 3, 12, 9), "9 x 12 pixels and does not hold the exposure's 16 x 12"),
    ],
)
def test_a_correction_of_another_shape(refused, shape, said):
    message = refused(RESET, np.zeros(shape, np.float32))
    assert "reset.fits: " in message
    assert said in message


def test_a_correction_without_its_image(refused):
    message = refused(RESET, {"OTHER": np.zeros(SHAPE, np.float32)})
    assert "reset.fits: this reset reference has no SCI extension" in message


def test_a_truncated_correction(refused, make_ramp, make_reference):
    big = np.zeros((3, 50, *SHAPE[2:]), np.float32)
    path = make_reference("reset", make_ramp(np.zeros(SHAPE)), SCI=big).path
    path.write_bytes(path.read_bytes()[:20_000])
    message = refused(RESET, path)
    assert f"{path}: " in message
    assert "truncated" in message


# ------------------------------------------------------------------ rscd


@pytest.mark.parametrize("name", ["subarray", "readpatt", "group_skip"])
def test_a_table_without_a_column(refused, name):
    types = {"subarray": "S9", "readpatt": "S9", "group_skip1": "i4", "group_skip": "i4"}
    del types[name]
    message = refused(RSCD, {"RSCD_GROUP_SKIP": np.zeros(1, list(types.items()))})
    assert "rscd.fits: RSCD_GROUP_SKIP of this rscd reference lacks the column(s)" in message
    assert f"{name}; it has {', '.join(types)}" in message


def test_without_the_table(refused):
    message = refused(RSCD, np.zeros((2, 2), np.float32))
    assert "rscd.fits: this rscd reference has no RSCD_GROUP_SKIP extension" in message


def test_an_image_where_the_table_should_be(refused):
    message = refused(RSCD, {"RSCD_GROUP_SKIP": np.zeros((2, 2), np.float32)})
    assert "rscd.fits: RSCD_GROUP_SKIP is an image, not a table" in message
