# SPDX-License-Identifier: Apache-2.0
"""A Winograd method: matrices, order in memory, code; and the proof that a layer is exact under it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cm4tiny.firmware.kernels.base import Array
from cm4tiny.firmware.kernels.functions import CFunction
from cm4tiny.firmware.kernels.int16.requant import KernelLimitError
from cm4tiny.firmware.kernels.int16.winograd_code import Result, WinogradShape

SPAN = 255
"""The largest difference of two stored values; zero is among the possible values."""


@dataclass(frozen=True, eq=False)
class Method:
    """With ``u`` the transformed weights: ``a (u[component, component] * (b d b')) a' = 9 * 2 * 2**shift * (d convolved with the filter)``.

    Attributes:
        id: first words of the names of its candidates.
        stride: of the convolution.
        g: [6, 3]: ``u = g filter g'``.
        b: [n, n]; n x n inputs are a patch.
        a: [4, n].
        component: n rows of ``g``: which one belongs to a row of ``b``.
        slices: (row, column) of the transformed patch, in the order of memory; those with equal weights are neighbours.
        shift: see above.
        input_cycles: of the input transform, per tile and channel pair; output_cycles: of the output transform, per tile and channel.
        input_transform, output_transform: make the functions.
    """

    id: str
    stride: int
    g: Array
    b: Array
    a: Array
    component: tuple[int, ...]
    slices: tuple[tuple[int, int], ...]
    shift: int
    input_cycles: int
    output_cycles: int
    input_transform: Callable[..., CFunction]
    output_transform: Callable[[WinogradShape, Result], CFunction]

    @property
    def patch(self) -> int:
        """Rows and columns of inputs under a tile."""
        return len(self.component)

    @property
    def _components(self) -> list[tuple[tuple[int, int], int]]:
        """Row and column of ``u`` in the order of memory, and how many slices each has."""
        runs = itertools.groupby((self.component[i], self.component[j]) for i, j in self.slices)
        return [(key, len(list(run))) for key, run in runs]

    @property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """How many components in a row have how many slices."""
        runs = itertools.groupby(count for _, count in self._components)
        return tuple((len(list(run)), count) for count, run in runs)

    def transform_weights(self, weights: Array) -> Array:
        """[out, 3, 3, in] -> [36, out, in], in the order of memory."""
        u: Array = np.einsum("ik,oklc,jl->ijoc", self.g, weights.astype(np.int64), self.g)
        return np.stack([u[i, j] for (i, j), _ in self._components])

    @property
    def scale(self) -> int:
        """What the output transform makes of a sum of products is this many times it."""
        return 18 << self.shift

    @property
    def sum_limit(self) -> int:
        """Bound of a sum of products: 2 * 2**shift times it fits 32 bits."""
        return 1 << (30 - self.shift)

    def check_ranges(self, weights: Array) -> None:
        """Proves that the layer can be computed exactly, for every input.

        Raises:
            KernelLimitError: there is no proof.
        """
        largest = int(np.abs(self.transform_weights(weights)).max())
        if largest >= 1 << 15:
            raise KernelLimitError(f"a transformed weight is {largest}, beyond 16 bits")
        rows = np.stack([np.maximum(self.b, 0).sum(axis=1), np.maximum(-self.b, 0).sum(axis=1)])
        positive, negative = np.einsum("si,sj->ij", rows, rows), np.einsum("si,sj->ij", rows, rows[::-1])
        reach = SPAN * int(np.maximum(positive, negative).max())
        if reach >= 1 << 15:
            raise KernelLimitError(f"a transformed input may be {reach}, beyond 16 bits")
        flat = weights.astype(np.int64).reshape(weights.shape[0], -1)
        total = SPAN * int(np.maximum(np.maximum(flat, 0).sum(axis=1), np.maximum(-flat, 0).sum(axis=1)).max())
        if total >= self.sum_limit:
            raise KernelLimitError(
                f"a sum of products may be {total}, beyond {self.sum_limit - 1}: it cannot be told from its multiple modulo 2**32"
            )
