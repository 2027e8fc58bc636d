import numpy as np
import pytest
from heliodor.flags import PART, WORDS, count_all, count_bits, count_pixel_bits


def plain_counts(array, nbits):
    return [int(((array >> bit) & 1).sum()) for bit in range(nbits)]


@pytest.mark.parametrize("nx", [1, PART - 1, PART, 2 * PART + 3])
def test_bits_are_counted_as_written_down_plainly(nx):
    rng = np.random.default_rng(9)
    pixeldq = rng.integers(0, 1 << 32, (3, nx), np.uint32) * (rng.random((3, nx)) < 0.3)
    pixeldq = pixeldq.astype(np.uint32)
    counts = np.zeros(32, np.int64)
    count_pixel_bits(pixeldq, counts)
    assert counts.tolist() == plain_counts(pixeldq, 32)

    groupdq = rng.integers(0, 256, (2, 2, 3, nx), np.uint8)
    groupdq[0, 1] = 0
    counts = np.zeros(8, np.int64)
    count_bits(groupdq, 0, 2, 1, 3, counts)
    assert counts.tolist() == plain_counts(groupdq[:, :, 1:3], 8)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 8 * WORDS, 8 * WORDS + 1, 40 * WORDS - 3])
@pytest.mark.parametrize("values", [(0, 256), (255, 256), (0, 1)])
def test_bits_of_a_whole_array(size, values):
    groupdq = np.random.default_rng(2).integers(*values, (1, 1, 1, size), np.uint16)
    groupdq = groupdq.astype(np.uint8)
    counts = np.ones(8, np.int64)
    count_all(groupdq, counts)
    assert (counts - 1).tolist() == plain_counts(groupdq, 8)
