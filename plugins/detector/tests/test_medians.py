import numpy as np
import pytest
from heliodor.kernels import kernel
from heliodor_detector.medians import (
    columns_at_once,
    median_network,
    sort_columns,
    sorting_network,
)


@kernel("void(f4[:,::1], i4[:,::1])")
def sort_all(samples, network):
    sort_columns(samples, network)


@pytest.mark.parametrize("count", [*range(12), 31, 32, 33, 99, 130])
def test_every_column_of_zeros_and_ones_is_sorted(count):
    # a network that sorts all sequences of zeros and ones sorts everything (Knuth, 5.3.4 Z)
    few = count <= 11
    columns = np.arange(2**count) if few else np.random.default_rng(count).random(500)
    if few:
        samples = (columns >> np.arange(count)[:, None] & 1).astype(np.float32)
    else:
        ones = np.random.default_rng(1).random((count, columns.size))
        samples = (ones < columns).astype(np.float32)
    expected = np.sort(samples, axis=0)
    sort_all(samples, sorting_network(count))
    np.testing.assert_array_equal(samples, expected)


def test_random_columns_equal_numpy():
    samples = np.random.default_rng(5).normal(size=(500, 37)).astype(np.float32)
    expected = np.sort(samples, axis=0)
    sort_all(samples, sorting_network(500))
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9, 10, 36, 39, 78, 99])
def test_a_median_network_puts_the_middle_in_place(count):
    random = np.random.default_rng(count)
    samples = random.normal(size=(count, 300)).astype(np.float32)
    samples[:, 200:] = random.integers(0, 2, (count, 100))  # ties
    expected = np.sort(samples, axis=0)
    sort_all(samples, median_network(count))
    for middle in ((count - 1) // 2, count // 2):
        np.testing.assert_array_equal(samples[middle], expected[middle])


def test_a_median_network_is_a_part_of_the_sorting_network_and_made_once():
    assert median_network(0).shape == median_network(1).shape == (0, 2)
    assert median_network(2).tolist() == [[0, 1]]
    assert len(median_network(9)) == 24
    assert median_network(500).dtype == np.int32
    assert median_network(500) is median_network(500)


def test_missing_samples_are_infinite_and_go_last():
    samples = np.array([[np.inf, 3], [2, np.inf], [-1, np.inf], [np.inf, 1]], np.float32)
    sort_all(samples, sorting_network(4))
    np.testing.assert_array_equal(samples[:2], [[-1, 1], [2, 3]])
    assert np.isinf(samples[2:]).all()


def test_comparators_point_forward_and_networks_are_made_once():
    network = sorting_network(77)
    assert (network[:, 0] < network[:, 1]).all()
    assert network.dtype == np.int32
    assert sorting_network(77) is network
    assert sorting_network(0).shape == sorting_network(1).shape == (0, 2)


def test_more_samples_fewer_columns():
    assert [columns_at_once.py_func(count) for count in (0, 9, 16, 5000)] == [512, 455, 256, 128]
