"""Computes maxima and sums of every window of an array, for labels, baselines and simulated truth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def rolling_max(values: Floats, length: int) -> Floats:
    """Return the maximum of the last ``length`` values, the current one included; fewer at the start.

    Running maxima of blocks from both ends are combined: O(1) a value whatever the length.

    Example:
        >>> rolling_max(np.array([3.0, 1.0, 2.0, 0.0, 5.0]), 3).tolist()
        [3.0, 3.0, 3.0, 2.0, 5.0]
    """
    count = len(values)
    padded = np.full((length - 1) + -(-count // length) * length + length, -np.inf)
    padded[length - 1 : length - 1 + count] = values
    padded = padded[: len(padded) // length * length]
    blocks = padded.reshape(-1, length)
    forward = np.maximum.accumulate(blocks, axis=1).ravel()
    backward = np.maximum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    return np.maximum(backward[:count], forward[length - 1 : length - 1 + count])


def rolling_sums(times: Integers, amounts: Integers, ends: Integers, length_us: int) -> Integers:
    """Return the exact sums of the amounts within (end - length, end] for each end."""
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(amounts)))
    return np.asarray(
        total[np.searchsorted(times, ends, side="right")]
        - total[np.searchsorted(times, ends - length_us, side="right")],
        np.int64,
    )
