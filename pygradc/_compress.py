"""Which rows or columns of a sparse Jacobian one derivative can give together.

Rows that share no column can be summed and told apart again, and so can columns. A
banded matrix of n rows takes as many derivatives as its band is wide, whatever n is.
Source: Curtis, Powell & Reid 1974; Griewank & Walther 2008, section 8.1.
"""

import numpy as np

from pygradc._program import pattern

# Elements of Jacobians that are looked at: larger ones are dense.
MOST_ELEMENTS = 1 << 24


class Plan:
    """How a Jacobian of m rows and n columns is computed.

    Attributes
    ----------
    by_rows : bool
        By vjp, from sums of rows; else by jvp, from sums of columns.
    colour : ndarray of int, one for each row (or column)
        The sum it is part of.
    count : int
        Number of sums.
    source, target : ndarray of int, or None
        Where the elements that may differ from 0 stand in the sums, and in the
        Jacobian, both in C order; None if the sums are the rows (or columns).
    """

    def __init__(self, graph, y, x):
        m, n = y.size, x.size
        self.by_rows = m <= n
        self.count = min(m, n)
        self.colour = np.arange(self.count)
        self.source = self.target = None
        if 1 < self.count and m * n <= MOST_ELEMENTS:
            self._compress(pattern(graph, y, x).astype(bool))

    def _compress(self, there):
        best = None
        for by_rows in (True, False) if self.by_rows else (False, True):
            lines = there if by_rows else there.T
            colour = _coloured(lines, (self.count if best is None else best[1]) // 2)
            if colour is not None:
                best = by_rows, int(colour.max()) + 1, colour
        if best is None:
            return
        self.by_rows, self.count, self.colour = best
        i, j = np.nonzero(there)
        m, n = there.shape
        self.target = i * n + j
        self.source = self.colour[i] * n + j if self.by_rows else self.colour[j] * m + i

    def seeds(self, begin, size, dtype):
        """Seeds of the sums from number `begin` on: `size` rows, some of them zero."""
        seeds = np.zeros((size, self.colour.size), dtype)
        line = np.flatnonzero((self.colour >= begin) & (self.colour < begin + size))
        seeds[self.colour[line] - begin, line] = 1
        return seeds


def _coloured(lines, most):
    """Numbers for the rows of a bool matrix, such that those of one number share no
    column; None if that takes more than `most`. Each row gets the first that fits."""
    if np.count_nonzero(lines, 0).max() > most:
        return None
    taken = np.zeros((most, lines.shape[1]), bool)
    colour, count = np.zeros(len(lines), np.int64), 0
    for i, line in enumerate(lines):
        free = np.flatnonzero(~taken[:count, line].any(1))
        colour[i] = free[0] if free.size else count
        count = max(count, colour[i] + 1)
        if count > most:
            return None
        taken[colour[i]] |= line
    return colour
