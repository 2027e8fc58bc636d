"""Functions on arrays as steps: what they are given, what is taken back, what is refused."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import numpy as np
import pytest
from heliodor.data import Keywords, Product
from heliodor.declare import Phase, RefNeed, StepSpec
from heliodor.errors import PluginError, StepError
from heliodor.functions import FunctionStep, status_keyword
from heliodor.params import Params, allowed, parameter
from heliodor.references.files import Reference
from heliodor.step import Skipped, step
from heliodor.testing import check_pieces, check_scratch, make_ramp, run_step

RNG = np.random.default_rng(11)
DATA = RNG.normal(1000, 20, (3, 4, 70, 12)).astype(np.float32)
GROUPDQ = (RNG.random(DATA.shape) > 0.9).astype(np.uint8)
GAIN = RNG.uniform(1, 2, DATA.shape[-2:]).astype(np.float32)


@step(looks="frame", writes="data", version="2")
def destripe(
    data: np.ndarray,
    groupdq: np.ndarray,
    *,
    strength: Annotated[float, parameter(..., "Fraction taken away.", ge=0, le=1)] = 1.0,
    passes: int = 1,
) -> np.ndarray:
    """Subtract the median of every row.

    Parameters
    ----------
    data : (ny, nx) float32 [DN]
    passes : int [times]
        How often it
        is done.
    """
    good = np.where(groupdq & 1, np.nan, data)
    for _ in range(passes):
        data = data - strength * np.nanmedian(good, axis=1, keepdims=True)
    return data


@step(looks="ramp", writes=("data", "groupdq"))
def by_ramp(data, groupdq, gain, pixeldq):
    data *= gain
    groupdq[:, pixeldq > 0] |= 2


@step(looks="pixels", writes=("groupdq", "pixeldq"))
def by_pixels(data, groupdq, pixeldq):
    bright = data.max(axis=(0, 1)) > 1050
    return {"groupdq": groupdq | np.where(bright, 4, 0).astype(np.uint8), "pixeldq": pixeldq | 8}


@step(looks="frames", writes=("data", "zeroframe"))
def by_frames(data, zeroframe=None):
    data -= np.median(data)
    if zeroframe is not None:
        zeroframe += 1


def whole(data, keywords, *, factor: float = 2.0):
    """Multiply."""
    keywords["SCALED"] = factor
    data *= factor


# ------------------------------------------------------------------ what is declared


def test_a_function_stays_what_it_is():
    plane = np.arange(12.0).reshape(3, 4)
    expected = plane - np.median(plane, axis=1, keepdims=True)
    np.testing.assert_array_equal(destripe(plane, np.zeros((3, 4), np.uint8)), expected)


def test_the_declaration_comes_from_the_signature_and_the_docstring():
    spec = destripe.Step.spec
    assert spec == StepSpec(
        name="destripe",
        impl=f"{__name__}:destripe.Step",
        params=f"{__name__}:destripe.Params",
        summary="Subtract the median of every row.",
        status="S_DESTRI",
        phases=(Phase("run", "frame", ("data",)),),
        prepare_reads=(),
        version="2",
    )
    assert by_ramp.Step.spec.refs == (RefNeed("gain"),)
    assert status_keyword("a_b") == "S_AB"


def test_parameters_have_default_range_unit_and_meaning():
    fields = destripe.Params.model_fields
    assert list(fields) == ["skip", "strength", "passes"]
    assert issubclass(destripe.Params, Params)
    assert allowed(fields["strength"]) == "a number, at least 0, at most 1"
    assert allowed(fields["passes"]) == "a whole number [times]"
    said = {name: field.description for name, field in fields.items()}
    assert said["strength"] == "Fraction taken away."
    assert said["passes"] == "How often it is done."
    made = destripe.Params()
    assert (made.strength, made.passes) == (1.0, 1)
    with pytest.raises(ValueError, match="less than or equal to 1"):
        destripe.Params(strength=2)


def test_a_function_without_mark_is_a_step_that_sees_everything():
    ramp = make_ramp(DATA)
    run_step(whole, ramp, factor=3)
    np.testing.assert_array_equal(ramp.data, DATA * 3)
    assert ramp.keywords["SCALED"] == 3.0
    (phase,) = whole.Step.spec.phases
    assert (phase.looks, phase.writes) == ("exposure", ("data",))


def test_it_may_be_declared_elsewhere():
    spec = StepSpec(
        "mine", "m:f.Step", "m:f.Params", "Mine.", "S_MINE",
        phases=(Phase("double", "frame", ("data",)),),
    )  # fmt: skip

    @step(spec)
    def f(data):
        data *= 2

    assert f.Step.spec is spec
    assert issubclass(f.Step, FunctionStep)
    assert f.Step.double is FunctionStep.apply


def none(data, dq, groupdq):
    pass


def star(data, *args):
    pass


def without_default(data, *, cut: float):
    pass


def skip(data, *, skip: bool = False):
    pass


def unknown_type(data, *, cut: Nothing = 1):  # noqa: F821
    pass


@pytest.mark.parametrize(
    ("function", "declared", "said"),
    [
        (none, {}, "none: groupdq are of ramps, dq of products"),
        (star, {}, r"star: '\*args': every argument has a name"),
        (without_default, {}, "the parameter cut has no default"),
        (skip, {}, "skip is a parameter of every step"),
        (unknown_type, {}, "its annotations: NameError: name 'Nothing'"),
        (whole, {"looks": "frmae"}, "no look 'frmae'. Did you mean 'frame'"),
        (whole, {"looks": "association"}, "association is a class"),
        (whole, {"writes": "dta"}, "no plane to write 'dta'. Did you mean 'data'"),
        (by_pixels, {"looks": "frames", "writes": "pixeldq"}, "pixeldq is shared by all"),
        (by_frames, {"looks": "frame"}, "zeroframe is shared by all groups"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(function, declared, said):
    with pytest.raises(PluginError, match=said) as error:
        step(**declared)(function)
    line = function.__code__.co_firstlineno
    assert str(error.value).startswith(f"test_functions.py:{line}: {function.__name__}: ")


# ------------------------------------------------------------------ on a ramp


def test_frame_by_frame():
    ramp = make_ramp(DATA, GROUPDQ)
    run_step(destripe, ramp, strength=0.5)
    good = np.where(GROUPDQ & 1, np.nan, DATA)
    expected = DATA - 0.5 * np.nanmedian(good, axis=3, keepdims=True)
    np.testing.assert_array_equal(ramp.data, expected.astype(np.float32))


def test_ramp_by_ramp_with_a_reference():
    pixeldq = np.zeros(DATA.shape[-2:])
    pixeldq[5, 3] = 1
    ramp = make_ramp(DATA, pixeldq=pixeldq)
    run_step(by_ramp, ramp, {"gain": GAIN}, strip=7)
    np.testing.assert_array_equal(ramp.data, DATA * GAIN)
    assert (ramp.groupdq[:, :, 5, 3] == 2).all()
    assert ramp.groupdq.sum() == 2 * 3 * 4


def test_several_planes_are_returned_by_name():
    ramp = make_ramp(DATA, GROUPDQ)
    run_step(by_pixels, ramp)
    bright = DATA.max(axis=(0, 1)) > 1050
    np.testing.assert_array_equal(ramp.groupdq, GROUPDQ | np.where(bright, 4, 0))
    assert (ramp.pixeldq == 8).all()


@pytest.mark.parametrize("zeroframe", [None, DATA[:, 0]])
def test_a_plane_that_may_be_missing(zeroframe):
    ramp = make_ramp(DATA, zeroframe=zeroframe)
    run_step(by_frames, ramp)
    assert ramp.data[1].mean() == pytest.approx(0, abs=1)
    if zeroframe is not None:
        np.testing.assert_array_equal(ramp.zeroframe, zeroframe + 1)


@pytest.mark.parametrize("function", [destripe, by_ramp, by_pixels, by_frames, whole])
def test_neither_pieces_nor_threads_nor_scratch_make_a_difference(function):
    refs = {"gain": GAIN} if function is by_ramp else {}
    exposure = make_ramp(DATA, GROUPDQ, zeroframe=DATA[:, 0])
    changed, outcome = check_pieces(function, exposure, refs)
    check_scratch(function, exposure, refs)
    assert outcome.status == "COMPLETE"
    assert not np.array_equal(changed.data, DATA) or function is by_pixels


@step(looks="frame", writes="data")
def peeps(data, groupdq):
    groupdq |= 1


@step(looks="ramp", writes="data")
def spoils(data, gain):
    gain += 1


@step(looks="frame", writes="data")
def sets_a_keyword(data, keywords):
    assert keywords["TGROUP"] == 5.0
    keywords["NEW"] = 1


@pytest.mark.parametrize("function", [peeps, spoils])
def test_what_is_not_declared_is_read_only(function):
    with pytest.raises(ValueError, match="read-only"):
        run_step(function, make_ramp(DATA), {"gain": GAIN})


def test_keywords_cannot_be_set_where_several_see_them():
    with pytest.raises(TypeError, match="does not support item assignment"):
        run_step(sets_a_keyword, make_ramp(DATA, TGROUP=5.0))


@step(looks="frame", writes="data")
def returns(data, *, what: str = "shape"):
    text = np.full(data.shape, "a")
    answers: dict[str, Any] = {
        "shape": data[:2], "plane": {"groupdq": data}, "number": 1.0, "text": text,
    }  # fmt: skip
    return answers[what]


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ("shape", StepError, r"test_functions.py:\d+: it returned data of shape \(2, 12\), not"),
        ("plane", StepError, "it returned groupdq, but writes data"),
        ("number", StepError, r"it returned data of shape \(\), not"),
        ("text", TypeError, "Cannot cast"),
    ],
)
def test_what_cannot_be_taken_back_is_refused(what, error, said):
    with pytest.raises(error, match=said):
        run_step(returns, make_ramp(DATA), what=what)


@step(looks="frame", writes="data")
def leaves_out(data, piece, *, some: bool = False):
    if not some or piece.group == 2:
        return Skipped("not today")
    return None


def test_it_may_leave_itself_out_but_not_half():
    outcome = run_step(leaves_out, make_ramp(DATA))
    assert (outcome.status, outcome.reason) == ("SKIPPED", "not today")
    with pytest.raises(StepError, match="left out a part of the data only: not today"):
        run_step(leaves_out, make_ramp(DATA), some=True)


@step(looks="exposure", writes="data")
def opens(data, gain: Reference, log, *, thread: int = 0):
    assert gain.header["REFTYPE"] == "GAIN"
    assert log.name == __name__
    data *= gain.plane()


def test_an_open_reference(tmp_path):
    from heliodor.testing import make_reference

    ramp = make_ramp(DATA)
    reference = make_reference(tmp_path, "gain", ramp, {"REFTYPE": "GAIN"}, SCI=GAIN)
    run_step(opens, ramp, {"gain": reference})
    np.testing.assert_array_equal(ramp.data, DATA * GAIN)


@step(looks="frame", writes="data")
def optional(data, gain=None):
    return data * (1 if gain is None else gain)


def test_a_reference_that_may_be_missing():
    assert optional.Step.spec.refs[0].optional
    ramp = make_ramp(DATA)
    run_step(optional, ramp)
    np.testing.assert_array_equal(ramp.data, DATA)


THREADS: set[int] = set()


@step(looks="frame", writes="data")
def looks_at_threads(data):
    barrier.wait(timeout=20)
    THREADS.add(threading.get_ident())


barrier = threading.Barrier(2)


def test_pieces_are_worked_on_at_once():
    run_step(looks_at_threads, make_ramp(DATA), threads=2)
    assert len(THREADS) == 2


# ------------------------------------------------------------------ on a product


def product(ndim=2, **planes):
    shape = DATA.shape[:1] * (ndim - 2) + DATA.shape[2:]
    given = {"data": np.ones(shape, np.float32), "dq": np.zeros(shape, np.uint32), **planes}
    return Product("rate", "ImageModel" if ndim == 2 else "CubeModel", given, Keywords({}))


def scale(data, err, dq, *, factor: float = 2.0):
    data *= factor
    err *= factor
    dq[0] = 1


def test_a_product_is_given_whole():
    image = product(err=np.ones(DATA.shape[2:], np.float32))
    run_step(scale, image)
    assert scale.Step.spec.takes == "image"
    assert (image.planes["data"] == 2).all()
    assert (image.planes["err"] == 2).all()
    assert image.planes["dq"][0].all()


def test_a_plane_that_is_not_there_is_named():
    with pytest.raises(StepError, match="it asks for err; there is data, dq in this rate"):
        run_step(scale, product())
    with pytest.raises(StepError, match="it asks for err; there is data, groupdq"):
        run_step(scale, make_ramp(DATA))


@step(looks="frame", writes="data")
def centre(data):
    assert data.shape == DATA.shape[2:]
    return data - data.mean()


@pytest.mark.parametrize("ndim", [2, 3])
def test_one_function_for_ramps_and_products(ndim):
    assert centre.Step.either
    image = product(ndim)
    run_step(centre, image)
    assert not image.planes["data"].any()
    ramp = make_ramp(DATA)
    run_step(centre, ramp)
    np.testing.assert_allclose(ramp.data.mean(axis=(2, 3)), 0, atol=1e-3)
