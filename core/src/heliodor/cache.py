"""Heliodor's folder in the user's cache: what is there can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """Give the folder, which may not be there yet: in $XDG_CACHE_HOME, or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heliodor"
