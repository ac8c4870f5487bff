"""Finds when forced flow became an episode, afterwards and from its whole course.

The labels of recordings and the truth of simulated markets share this rule, so that delays from it can be compared.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.lab.rolling import rolling_max

FLOW: Final = 0.10
"""Forced flow of a minute at the onset, as a share (0 to 1) of the worst minute's."""
DROP: Final = 0.25
"""Share (0 to 1) of the whole drop that must follow the onset within :data:`AHEAD_S`."""
AHEAD_S: Final = 300
"""Time within which the drop must follow the onset, seconds."""


def flow_onset(directed: npt.NDArray[np.float64], pace: npt.NDArray[np.number] | None, high: int, low: int) -> int:
    """Return the index of the second at which forced flow became an episode.

    It is the first second with a tenth of the worst minute's flow after which 5 minutes bring a quarter of the drop.
    Without flow the price alone decides. A drop of which no 5 minutes bring a quarter begins where a quarter of it is
    done.

    Args:
        directed: log price by second, falling where the side loses.
        pace: forced notional of the minute that ends with each of these seconds; None where there is none.
        high: index of the best price before the drop.
        low: index of its end.

    Example:
        A fall of 4 % in ten seconds, with a few forced orders half a minute before it:

        >>> price = np.concatenate((np.zeros(60), np.linspace(0.0, -0.04, 11), np.full(30, -0.04)))
        >>> pace = np.concatenate((np.zeros(30), np.full(33, 5.0), np.full(38, 100.0)))
        >>> flow_onset(price, pace, 0, 70)
        63
    """
    drop = directed[high] - directed[low]
    ahead = -rolling_max(-directed[::-1], AHEAD_S + 1)[::-1]
    falls = directed - ahead >= DROP * drop
    flows = pace >= FLOW * pace.max() if pace is not None else np.ones(len(directed), bool)
    for flags in (falls & flows, falls, directed[high] - directed >= DROP * drop):
        hits = np.flatnonzero(flags[high : low + 1])
        if len(hits):
            return high + int(hits[0])
    return high
