import numpy as np
import pytest
from heliodor.engine import execute
from heliodor.errors import NotYetError, ReferenceError
from heliodor.testing import make_ramp, make_reference
from heliodor_detector.steps.ipc import SPEC
from heliodor_detector.steps.ipc.kernel import convolve
from heliodor_detector.steps.ipc.params import IpcParams
from heliodor_detector.steps.ipc.step import Ipc, reference_border

INSIDE = {"INSTRUME": "NIRCAM", "SUBSTRT1": 101, "SUBSTRT2": 101}
CORNER = {"INSTRUME": "NIRCAM", "SUBSTRT1": 1, "SUBSTRT2": 1}
NO_BORDER = np.zeros(4, np.int64)


def reference_of(folder, weights, ramp, **header):
    return {"ipc": make_reference(folder, "ipc", ramp, header, SCI=weights)}


def slow_convolution(image, weights, border, extend):
    """Pad, and add up one shifted and weighted image after the other."""
    bottom, top, left, right = border
    science = np.s_[bottom : image.shape[0] - top, left : image.shape[1] - right]
    height, width = weights.shape[:2]
    margins = ((height // 2, height // 2), (width // 2, width // 2))
    padded = np.pad(image[science], margins, mode="edge" if extend else "constant")
    ny, nx = image[science].shape
    terms = [(j, i) for j in range(height) for i in range(width)]
    terms.append(terms.pop(len(terms) // 2))
    total = np.zeros((ny, nx), np.float32)
    for j, i in terms:
        weight = weights[j, i]
        weight = weight[science] if weight.shape == image.shape else weight
        y, x = height - 1 - j, width - 1 - i
        total += weight * padded[y : y + ny, x : x + nx]
    out = image.copy()
    out[science] = total
    return out


def test_one_bright_pixel_spreads_as_the_kernel_says():
    image = np.zeros((5, 5), np.float32)
    image[2, 2] = 100
    weights = np.arange(9, dtype=np.float32).reshape(3, 3)
    convolve(image, weights[:, :, None, None], NO_BORDER, False)
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = 100 * weights
    np.testing.assert_array_equal(image, expected)


def test_reference_pixels_stay_and_do_not_contribute():
    image = np.full((7, 8), 10, np.float32)
    image[0], image[:, :2], image[:, -1] = 1e6, 1e6, np.nan
    before = image.copy()
    cross = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32)
    convolve(image, cross[:, :, None, None], np.array([1, 0, 2, 1]), False)
    np.testing.assert_array_equal(image[0], before[0])
    np.testing.assert_array_equal(image[:, :2], before[:, :2])
    np.testing.assert_array_equal(image[:, -1], before[:, -1])
    assert image[3, 4] == 10  # 5 * 10 - 4 * 10
    assert image[1, 4] == 20  # one neighbour is a reference pixel
    assert image[1, 2] == 30  # two


def test_a_constant_level_stays_constant_when_the_edge_is_extended():
    weights = np.array([[0, -0.25, 0], [-0.25, 2, -0.25], [0, -0.25, 0]], np.float32)
    image = np.full((6, 6), 8, np.float32)
    convolve(image, weights[:, :, None, None], NO_BORDER, True)
    np.testing.assert_array_equal(image, 8)
    convolve(image, weights[:, :, None, None], NO_BORDER, False)
    assert image[0, 0] == 12
    assert image[0, 3] == 10
    assert image[3, 3] == 8


@pytest.mark.parametrize("extend", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (5, 5), (1, 3), (5, 3), (1, 1)])
@pytest.mark.parametrize("border", [(0, 0, 0, 0), (4, 0, 0, 4), (1, 2, 3, 4)])
def test_equals_slow_version(shape, border, extend):
    rng = np.random.default_rng(1)
    image = rng.normal(10000, 300, (23, 31)).astype(np.float32)
    for size in ((1, 1), image.shape):
        weights = rng.normal(0, 0.01, (*shape, *size)).astype(np.float32)
        expected = slow_convolution(image, weights, border, extend)
        got = image.copy()
        convolve(got, weights, np.array(border), extend)
        np.testing.assert_array_equal(got, expected)


def test_an_image_of_reference_pixels_only_stays():
    image = np.ones((4, 20), np.float32)
    convolve(image, np.full((3, 3, 1, 1), 2, np.float32), np.array([4, 0, 4, 0]), False)
    np.testing.assert_array_equal(image, 1)


@pytest.mark.parametrize(
    ("start", "shape", "expected"),
    [
        ((1, 1), (2048, 2048), (4, 4, 4, 4)),
        ((1, 1), (64, 2048), (4, 0, 4, 4)),
        ((2041, 100), (64, 8), (0, 0, 0, 4)),
        ((3, 2040), (8, 64), (0, 3, 2, 0)),
        ((100, 100), (64, 64), (0, 0, 0, 0)),
    ],
)
def test_reference_border(start, shape, expected):
    keywords = {"SUBSTRT1": start[0], "SUBSTRT2": start[1]}
    assert tuple(reference_border(keywords, shape, Ipc.size, Ipc.frame)) == expected


def test_a_detector_without_reference_pixels_above_and_below():
    keywords = {"SUBSTRT1": 1, "SUBSTRT2": 19}
    border = reference_border(keywords, (224, 288), (1032, 1024), (0, 0, 4, 4))
    assert tuple(border) == (0, 0, 4, 0)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_group_is_convolved(tmp_path, threads):
    rng = np.random.default_rng(2)
    ramp = make_ramp(rng.normal(9000, 99, (2, 3, 12, 10)).astype(np.float32), **CORNER)
    weights = rng.normal(0, 0.01, (3, 3)).astype(np.float32)
    expected = [[slow_convolution(g, weights, (4, 0, 4, 0), False) for g in i] for i in ramp.data]
    outcome = execute(
        SPEC,
        ramp,
        IpcParams(),
        reference_of(tmp_path, weights, ramp),
        threads=threads,
        strip=5,
    )
    assert outcome.status == "COMPLETE"
    np.testing.assert_array_equal(ramp.data, expected)
    assert not ramp.pixeldq.any()
    assert not ramp.groupdq.any()


def test_a_kernel_for_each_pixel_is_cut_to_the_subarray(tmp_path):
    rng = np.random.default_rng(3)
    ramp = make_ramp(rng.normal(9000, 99, (1, 1, 6, 7)).astype(np.float32), **INSIDE)
    weights = rng.normal(0, 0.01, (3, 3, 20, 20)).astype(np.float32)
    mine = weights[:, :, 4:10, 2:9]
    expected = slow_convolution(ramp.data[0, 0], mine, NO_BORDER, True)
    references = reference_of(tmp_path, weights, ramp, SUBSTRT1=99, SUBSTRT2=97)
    execute(SPEC, ramp, IpcParams(edge="nearest"), references)
    np.testing.assert_array_equal(ramp.data[0, 0], expected)


def test_skipped_without_a_reference():
    ramp = make_ramp(np.ones((1, 1, 8, 8), np.float32), **INSIDE)
    outcome = execute(SPEC, ramp, IpcParams(), {})
    assert outcome.status == "SKIPPED"
    assert "reference file" in outcome.reason


@pytest.mark.parametrize("shape", [(4, 4), (3, 2), (3, 3, 3)])
def test_a_kernel_without_a_middle_is_refused(tmp_path, shape):
    ramp = make_ramp(np.ones((1, 1, 8, 8), np.float32), **INSIDE)
    references = reference_of(tmp_path, np.ones(shape, np.float32), ramp)
    with pytest.raises(ReferenceError, match="odd length"):
        execute(SPEC, ramp, IpcParams(), references)


def test_irs2_is_said_to_be_missing(tmp_path):
    ramp = make_ramp(np.ones((1, 1, 3200, 2), np.float32), **CORNER)
    with pytest.raises(NotYetError, match="IRS2"):
        execute(
            SPEC,
            ramp,
            IpcParams(),
            reference_of(tmp_path, np.ones((3, 3), np.float32), ramp),
        )
