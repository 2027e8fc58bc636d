"""What a step may bring: products of its own, and parameters that are files."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from astropy.io import fits
from heliodor import receipt
from heliodor.api import plan
from heliodor.data import PLAIN, Product
from heliodor.declare import Output, Phase, StepSpec
from heliodor.errors import PipelineError, UsageError
from heliodor.params import File, Params, parameter
from heliodor.step import Step
from stdatamodels.jwst import datamodels

PIPELINE = """
name: made_up_detector1
for: {stage: 1, instrument: X}
in: uncal
steps:
  - nothing
  - save: ramp
"""


class Nothing(Step[Params]):
    """Does nothing."""


class Events(Step[Params]):
    """Makes a table and an image of its own."""

    def finish(self, ramp):
        table = np.array([(3, 1, 250.0)], [("x", "i4"), ("y", "i4"), ("charge", "f4")])
        where = np.zeros((4, 8), np.uint8)
        keywords = ramp.keywords.copy()
        keywords["NEVENTS"] = 1
        planes = {"where": where}
        return {"events": Product("events", PLAIN, planes, keywords, tables={"EVENTS": table})}


class ListedParams(Params):
    pixels: File | None = parameter(None, "Columns x and y of pixels.")


class Listed(Step[ListedParams]):
    """Sets the pixels of a list to zero."""

    Params = ListedParams

    def blank(self, ramp, piece):
        x, y = np.loadtxt(self.params.pixels, int, unpack=True, ndmin=2)
        ramp.data[piece.integration, :, y, x] = 0


def spec(impl: type[Step], params: type[Params] = Params, **more) -> StepSpec:
    name = impl.__name__.lower()
    paths = f"{__name__}:{impl.__name__}", f"{__name__}:{params.__name__}"
    return StepSpec(name, *paths, "Test.", f"S_{name[:6].upper()}", **more)


STEPS = (
    spec(Nothing),
    spec(Events, makes=(Output("events"),)),
    spec(Listed, ListedParams, phases=(Phase("blank", "frames", writes=("data",)),)),
)


@pytest.fixture
def calibrate(made_up):
    """Run the made-up pipeline with edits; returns the result."""
    return made_up(STEPS, made_up_detector1=PIPELINE)


# ------------------------------------------------------------------ products


@pytest.mark.parametrize(
    "nodes",
    ["{events: {to: events, save: mine}}", "[{events: {to: events}}, {save: mine, of: events}]"],
)
def test_a_product_of_ones_own(calibrate, nodes, tmp_path):
    result = calibrate(f"[{{insert: {nodes}, after: nothing}}]", save=True, out=tmp_path / "out")
    path = tmp_path / "out" / "jw01234001001_02101_00001_nrca1_mine.fits"
    assert result.paths["mine"] == path
    with fits.open(path) as hdus:
        assert hdus["EVENTS"].data["charge"].tolist() == [250.0]
        assert hdus["WHERE"].data.shape == (4, 8)
        assert hdus[0].header["NEVENTS"] == 1
        assert hdus[0].header["S_EVENTS"] == "COMPLETE"
        assert "SCI" not in hdus
    with datamodels.open(path) as model:
        assert model.extra_fits.EVENTS.data["x"].tolist() == [3]
        assert model.meta.exposure.ngroups == 3
    assert receipt.read(path)["steps"][1]["name"] == "events"


def test_to_without_a_name_is_for_the_only_product(calibrate):
    with pytest.raises(PipelineError, match=r"my.yaml:2: nothing makes nothing; write 'to: {PROD"):
        calibrate("[{replace: nothing, by: {nothing: {to: x}}}]", do=plan)


# ------------------------------------------------------------------ files as parameters


def test_a_file_as_parameter(calibrate, tmp_path, monkeypatch):
    listed = tmp_path / "pixels.txt"
    listed.write_text("3 1\n5 2\n")
    edits = "[{insert: listed, after: nothing, set: {pixels: pixels.txt}}]"
    monkeypatch.chdir("/")  # it is looked for beside the document
    result = calibrate(edits)
    plain = calibrate().products["ramp"].data
    plain[:, :, [1, 2], [3, 5]] = 0
    np.testing.assert_array_equal(result.products["ramp"].data, plain)
    record = next(r for r in result.provenance.receipt.steps if r.name == "listed")
    pixels = next(p for p in record.parameters if p.name == "pixels")
    assert pixels.value == listed
    assert pixels.sha256 == hashlib.sha256(listed.read_bytes()).hexdigest()
    assert not any(p.sha256 for p in record.parameters if p.name != "pixels")


def test_a_file_of_the_command_line_is_looked_for_here(calibrate, tmp_path, monkeypatch):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "mine.txt").write_text("0 0\n")
    monkeypatch.chdir(tmp_path / "else")
    result = calibrate(
        "[{insert: listed, after: nothing}]", parameters={"listed.pixels": "mine.txt"}
    )
    assert (result.products["ramp"].data[:, :, 0, 0] == 0).all()


def test_a_file_that_is_not_there(calibrate, tmp_path):
    edits = "[{insert: listed, after: nothing, set: {pixels: pixels.txt}}]"
    with pytest.raises(UsageError) as error:
        calibrate(edits, do=plan)
    assert f"listed.pixels = {tmp_path / 'pixels.txt'} (user file, my.yaml:2)" in str(error.value)
    assert "it takes a file that is there or None" in str(error.value)
