"""What tests of steps are made with."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from heliodor import testing
from heliodor.data import Keywords, Product
from heliodor.declare import Output, Phase, RefNeed, StepSpec
from heliodor.params import Params, parameter
from heliodor.step import Skipped, Step
from heliodor.testing import check_pieces, check_scratch, make_ramp, make_reference, run_step

DATA = np.arange(2.0 * 3 * 40 * 5).reshape(2, 3, 40, 5)


class ScaleParams(Params):
    factor: float = parameter(2.0, "Factor.")


class Scale(Step[ScaleParams]):
    """Multiplies by a factor and a plane; may fail to in several ways."""

    Params = ScaleParams

    def prepare(self, ramp, refs):
        if self.params.factor == 0:
            return Skipped("nothing would be left")
        self.plane = refs["gain"].plane()
        self.first = ramp.data[0, 0, 0, 0]
        return None

    def scale(self, ramp, piece):
        ramp.data[:, :, piece.rows] *= self.plane[piece.rows] * self.params.factor

    def by_rank(self, ramp, piece):
        """Depends on the piece: wrong."""
        ramp.data[:, :, piece.rows] += piece.row_stop - piece.row_start

    def keep_threads(self, ramp, piece):
        """Depends on the threads: wrong."""
        ramp.keywords["THREADS"] = self.threads

    def by_first_row(self, ramp, piece):
        """Reads another row: wrong on scratch."""
        ramp.groupdq[:, :, piece.rows] |= (ramp.data[:, :, :1] > 0).astype(np.uint8)

    def by_first_sample(self, ramp, piece):
        """Hangs on what `prepare` has read and not declared: wrong on scratch."""
        ramp.data[:, :, piece.rows] += self.first

    def finish(self, ramp):
        plane = ramp.data.sum(axis=(0, 1))
        return {"rate": Product("rate", "ImageModel", {"data": plane}, ramp.keywords)}


def spec(phase="scale"):
    return StepSpec(
        name="scale",
        impl=f"{__name__}:Scale",
        params=f"{__name__}:ScaleParams",
        summary="",
        status="S_SCALE",
        phases=(Phase(phase, looks="pixels", writes=("data", "groupdq")),),
        refs=(RefNeed("gain"),),
        makes=(Output("rate"),),
        prepare_reads=(),
    )


GAIN = np.full((40, 5), 3.0, np.float32)


def test_a_ramp_is_made_of_copies():
    groupdq = np.ones(DATA.shape, int)
    ramp = make_ramp(DATA, groupdq, pixeldq=groupdq[0, 0], zeroframe=DATA[:, 0], TGROUP=5)
    planes = (ramp.data, ramp.groupdq, ramp.pixeldq, ramp.zeroframe)
    assert [plane.dtype for plane in planes] == [np.float32, np.uint8, np.uint32, np.float32]
    assert ramp.shape == DATA.shape
    turned = make_ramp(DATA.T, DATA.T, DATA.T[:, 0], DATA.T[0, 0])
    planes = (turned.data, turned.groupdq, turned.pixeldq, turned.zeroframe)
    assert all(plane.flags.c_contiguous for plane in planes)
    ramp.data[:] = ramp.groupdq[:] = ramp.pixeldq[:] = 0
    assert DATA.any()
    assert groupdq.all()
    assert (ramp.keywords["TGROUP"], ramp.keywords["SUBSTRT1"]) == (5, 1)
    assert make_ramp(DATA, SUBSTRT1=9).keywords["SUBSTRT1"] == 9


def test_a_reference_is_read_as_the_exposure_sees_it(tmp_path):
    ramp = make_ramp(DATA, SUBSTRT1=2, SUBSTRT2=3)
    plane = np.arange(50 * 8, dtype=np.float32).reshape(50, 8)
    flags = np.full((50, 8), 2, np.uint32)
    table = np.array([(1, "a")], [("N", "i4"), ("T", "S1")])
    reference = make_reference(
        tmp_path, "gain", ramp, {"GAINFACT": 2.0}, dq_def=("HOT", "DEAD"),
        SCI=plane, DQ=flags, LIST=table,
    )  # fmt: skip
    np.testing.assert_array_equal(reference.plane(), plane[2:42, 1:6])
    from heliodor.bits import PIXEL

    assert (reference.dq() == PIXEL["DEAD"]).all()
    assert reference.table("LIST")["N"].tolist() == [1]
    assert reference.header["GAINFACT"] == 2.0
    assert reference.path == tmp_path / "gain.fits"


@pytest.mark.parametrize("given", ["array", "extensions", "path", "reference"])
def test_a_step_is_run_with_references_of_any_form(given, tmp_path):
    ramp = make_ramp(DATA)
    reference = make_reference(tmp_path, "gain", ramp, SCI=GAIN)
    forms = {
        "array": GAIN, "extensions": {"SCI": GAIN}, "path": reference.path, "reference": reference,
    }  # fmt: skip
    outcome = run_step(spec(), ramp, {"gain": forms[given]}, threads=2, strip=3, factor=5)
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(ramp.data, np.float32(DATA) * 15)
    assert reference.plane().shape == (40, 5), "a reference that was given stays open"


def test_pieces_that_make_no_difference():
    ramp = make_ramp(DATA)
    changed, outcome = check_pieces(spec(), ramp, {"gain": GAIN}, factor=5)
    np.testing.assert_array_equal(changed.data, np.float32(DATA) * 15)
    np.testing.assert_array_equal(ramp.data, DATA)
    assert outcome.products["rate"].planes["data"].shape == (40, 5)


def test_a_step_that_is_skipped_is_so_in_any_pieces():
    assert check_pieces(spec(), make_ramp(DATA), {"gain": GAIN}, factor=0)[1].status == "SKIPPED"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("by_rank", "scale with 1 threads and 7 rows .*: data, rate data"),
        ("keep_threads", "scale with 2 threads and 1 rows .*: keyword THREADS"),
    ],
)
def test_what_depends_on_pieces_is_named(wrong, said):
    with pytest.raises(AssertionError, match=said):
        check_pieces(spec(wrong), make_ramp(DATA), {"gain": GAIN})


@pytest.mark.parametrize("factor", [5, 0])
def test_scratch_that_makes_no_difference(factor):
    ramp = make_ramp(DATA, zeroframe=DATA[:, 0])
    check_scratch(spec(), ramp, {"gain": GAIN}, factor=factor)
    np.testing.assert_array_equal(ramp.data, DATA)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("by_first_row", "scale on scratch, with 1 threads and room for 0 bytes, .*: groupdq"),
        ("by_first_sample", "scale on scratch, with 1 threads .*: data, rate data"),
    ],
)
def test_what_depends_on_scratch_is_named(wrong, said):
    check_pieces(spec(wrong), make_ramp(DATA), {"gain": GAIN})
    with pytest.raises(AssertionError, match=said):
        check_scratch(spec(wrong), make_ramp(DATA), {"gain": GAIN})


def test_a_product_is_held_as_well():
    class Doubles(Step[Params]):
        def double(self, product):
            product.planes["data"] *= 2

    globals()["Doubles"] = Doubles
    product = Product("rate", "ImageModel", {"data": GAIN.copy()}, Keywords({}))
    doubles = StepSpec(
        "doubles", f"{__name__}:Doubles", "heliodor.params:Params", "", "S_DOUBLE",
        phases=(Phase("double", looks="exposure"),), takes="image",
    )  # fmt: skip
    changed, _ = check_pieces(doubles, product)
    assert (changed.planes["data"] == 6).all()


def test_its_import_is_light():
    code = "import heliodor.testing, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert testing.__name__ in loaded.split()
    assert not {"astropy", "numba", "pydantic", "pytest", "stdatamodels"} & set(loaded.split())
