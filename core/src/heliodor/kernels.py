"""The one way to compile a kernel.

Kernels are Numba functions with explicit signatures on C-contiguous native arrays: one
specialisation each, compiled once for a machine and then read from a cache folder.  They release
the GIL, follow IEEE rules for division and NaN, and are never parallel inside: the engine gives
pieces to threads.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import config as _config
from numba.core import event

from heliodor.cache import folder as users_cache

F = TypeVar("F", bound=Callable[..., Any])

_lock = threading.Lock()
config: Any = _config  # its settings are made at run time


def cache_folder() -> Path:
    """Where compiled kernels are kept: $NUMBA_CACHE_DIR, or our folder in the user's cache."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    return users_cache() / "kernels"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _dependencies(function: Callable[..., Any]) -> str:
    """Name a state of all that a kernel uses from elsewhere: helpers' files, values of constants.

    Numba compiles anew when the kernel's own file changes, and looks at nothing else.
    """
    constants: list[tuple[str, Any]] = []
    helpers: list[Callable[..., Any]] = []
    todo = [function]
    while todo:
        caller = todo.pop()
        for name in caller.__code__.co_names:
            value = caller.__globals__.get(name)
            if isinstance(value, int | float | tuple):
                constants.append((name, value))
            helped = getattr(value, "py_func", None)
            if helped is not None and helped not in helpers:
                helpers.append(helped)
                todo.append(helped)
    files = {Path(each.__code__.co_filename) for each in (function, *helpers)}
    files.remove(Path(function.__code__.co_filename))
    sources = [file.read_bytes() for file in sorted(files) if file.is_file()]
    return hashlib.sha256(b"".join([repr(constants).encode(), *sources])).hexdigest()[:16]


def kernel(signature: str | list[str], **options: Any) -> Callable[[F], F]:
    """Compile a function of arrays for one explicit `signature`.

    Parameters
    ----------
    signature : Numba's text form, such as ``"void(f4[:,:,:,::1], f4[:,::1], i8, i8)"``
    **options : passed on to `numba.njit` (``inline="always"``)

    Notes
    -----
    ``error_model="numpy"`` makes 0/0 a NaN, as in NumPy, and lets loops vectorise; ``fastmath``
    stays off because it would break NaN tests and bit-identity.
    """
    return _jit(signature, **options)


def helper(function: F) -> F:
    """Compile a small function that kernels call; typed by its callers and inlined by LLVM."""
    compiled: Any = numba.njit(error_model="numpy", nogil=True)(function)
    return cast(F, compiled)


def _jit(signature: str | list[str], **options: Any) -> Callable[[F], F]:
    folder = cache_folder()
    cache = _writable(folder)
    if not cache:
        warnings.warn(
            f"{folder} cannot be written: kernels are compiled anew in every process. "
            "Set NUMBA_CACHE_DIR to a folder that can.",
            RuntimeWarning,
            stacklevel=3,
        )

    def decorate(function: F) -> F:
        with _lock:
            before = config.CACHE_DIR
            config.CACHE_DIR = str(folder / _dependencies(function))
            try:
                compiled: Any = numba.njit(
                    signature, nogil=True, cache=cache, error_model="numpy", **options
                )(function)
                return cast(F, compiled)
            finally:
                config.CACHE_DIR = before

    return decorate


@dataclass
class Compiled:
    """What had to be compiled, because the cache folder did not have it.

    Attributes
    ----------
    kernels : how many
    seconds : that took
    """

    kernels: int = 0
    seconds: float = 0.0


@contextmanager
def watched(tell: Callable[[str], None]) -> Iterator[Compiled]:
    """Be told of every kernel that is compiled; those read from the cache are not.

    Parameters
    ----------
    tell : called with the kernel's name before it is compiled, which takes up to some seconds
    """
    listener = _Listener(tell)
    with event.install_listener("numba:compile", listener):
        yield listener.compiled


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[str], None]):
        self.compiled = Compiled()
        self._tell = tell
        self._depth = 0
        self._since = 0.0

    def on_start(self, event: Any) -> None:
        # helpers are compiled in the course of a kernel
        if self._depth == 0:
            self._since = time.perf_counter()
            self._tell(event.data["dispatcher"].py_func.__name__)
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.compiled.kernels += 1
            self.compiled.seconds += time.perf_counter() - self._since
