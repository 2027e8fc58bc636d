"""Where the large arrays of a run live: in memory, or on scratch."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np


class Workspace:
    """Gives arrays in memory."""

    def empty(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Give an array whose values are to be set."""
        return np.empty(shape, dtype)

    def zeros(self, shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
        """Give an array of zeros."""
        return np.zeros(shape, dtype)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held beyond the arrays."""


MEMORY = Workspace()
