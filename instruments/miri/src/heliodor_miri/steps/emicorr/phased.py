"""What ramps leave, sorted by the phase of a wave, and the subtraction of a wave looked up."""

import numpy as np
from heliodor.kernels import helper, kernel
from heliodor_detector.medians import sort_columns


@kernel("void(f4[:,:,:,::1], i4[:,::1], f4[:,:,:,::1], i8, i8, i8)")
def take_away_ramps(data, network, rest, integration, row_start, row_stop):
    """Subtract a line and a median from every pixel, and average the pixels read at once.

    Of a row, the second and the third average are not to be trusted; neighbours replace them.

    Precision is that of the operational pipeline: what is left is small beside a ramp.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    network : of `heliodor_detector.medians.sorting_network` (ngroups - 2)
    rest : (n, ngroups, ny, nx // noutputs) float32 [DN]; the result
    integration, row_start, row_stop : the piece
    """
    ngroups, _, nx = data.shape[1:]
    ntimes = rest.shape[3]
    noutputs = nx // ntimes
    count = ngroups - 2  # neither the first group nor the last
    first = count * (count - 1) / 2
    second = count * (count - 1) * (2 * count - 1) / 6
    slope = np.empty((2, nx), np.float64)
    left = np.empty((ngroups, nx), np.float32)
    samples = np.empty((count, nx), np.float32)
    for y in range(row_start, row_stop):
        moment, total = slope[0], slope[1]
        for x in range(nx):
            moment[x] = 0.0
            total[x] = 0.0
        for k in range(count):
            row = data[integration, k + 1, y]
            for x in range(nx):
                moment[x] += np.float64(k) * row[x]
                total[x] += row[x]
        for x in range(nx):
            moment[x] = (count * moment[x] - first * total[x]) / (count * second - first * first)
        for group in range(ngroups):
            row, out = data[integration, group, y], left[group]
            for x in range(nx):
                out[x] = row[x] - moment[x] * group
        for k in range(count):
            row, out = left[k + 1], samples[k]
            for x in range(nx):
                out[x] = row[x]
        sort_columns(samples, network)
        # of two the lower one, else the median
        low = samples[(count - 1) // 2]
        high = samples[count // 2 if count > 2 else 0]
        for x in range(nx):
            low[x] = (low[x] + high[x]) / np.float32(2)
        for group in range(ngroups):
            row, out = left[group], rest[integration, group, y]
            for x in range(nx):
                row[x] -= low[x]
            for time in range(ntimes):
                value = np.float32(0)
                for x in range(time * noutputs, (time + 1) * noutputs):
                    value += row[x]
                out[time] = value / np.float32(noutputs)
            if ntimes > 3:
                out[1] = (out[0] + out[3]) / np.float32(2)
                out[2] = out[1]


@helper
def phase_at(time, period):
    """Give the phase of a wave, 0 to 1."""
    periods = time / period
    return periods - np.floor(periods)


@helper
def bin_at(phase, edges):
    """Find the bin with edge < phase <= next edge; -1 for none."""
    bin = min(int(phase * (edges.size - 1)), edges.size - 2)
    while bin >= 0 and phase <= edges[bin]:
        bin -= 1
    while bin >= 0 and phase > edges[bin + 1]:
        bin += 1
    return bin


@kernel("void(f4[:,::1], f8[:,::1], f8, f8, f8[::1], i8[::1])")
def count_by_phase(rest, times, start, period, edges, counts):
    """Count the values of a group in each bin of phase.

    Parameters
    ----------
    rest : (ny, ntimes) float32; NaN is left out
    times : (ny, ntimes) float64, since the group's first pixel [samples]
    start : of the group, since the first group of all [samples]
    period : of the wave [samples]
    edges : (nbins + 1,) float64, phases
    counts : (nbins,) int64; added to
    """
    for y in range(times.shape[0]):
        for x in range(times.shape[1]):
            bin = bin_at(phase_at(times[y, x] + start, period), edges)
            if bin >= 0 and not np.isnan(rest[y, x]):
                counts[bin] += 1


@kernel("void(f4[:,::1], f8[:,::1], f8, f8, f8[::1], f4, i8[::1], f4[::1])")
def sort_by_phase(rest, times, start, period, edges, level, place, values):
    """Put the values of a group into bins of phase.

    Parameters
    ----------
    rest, times, start, period, edges : see `count_by_phase`
    level : subtracted
    place : (nbins,) int64, of the next value in each bin; moved on
    values : (n,) float32; the result
    """
    for y in range(times.shape[0]):
        for x in range(times.shape[1]):
            bin = bin_at(phase_at(times[y, x] + start, period), edges)
            if bin >= 0 and not np.isnan(rest[y, x]):
                values[place[bin]] = rest[y, x] - level
                place[bin] += 1


@kernel("void(f4[:,:,:,::1], f8[:,::1], f8, f8, f8[::1], i8, i8)")
def subtract_table(data, times, start, period, table, integration, group):
    """Subtract from one group a wave that is looked up sample by sample.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]; changed in place
    times, start, period : see `count_by_phase`
    table : (n,) float64, from the beginning of a period, one for each of its samples [DN]
    integration, group : the piece
    """
    ny, ntimes = times.shape
    noutputs = data.shape[3] // ntimes
    for y in range(ny):
        row = data[integration, group, y]
        for time in range(ntimes):
            signal = table[int(phase_at(times[y, time] + start, period) * period)]
            for x in range(time * noutputs, (time + 1) * noutputs):
                row[x] = row[x] - signal
