"""How large files are, from the last time that a server was asked: a plan asks nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from heliodor import cache


def remember(sizes: Mapping[str, int]) -> None:
    """Keep the sizes of files [bytes], by name; where that cannot be written, nothing is kept."""
    file = _file()
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(dict(sizes)))
            os.replace(part, file)
        finally:
            part.unlink(missing_ok=True)


def remembered(names: Iterable[str]) -> dict[str, int]:
    """Give the sizes of files [bytes], by name, as far as they are known."""
    try:
        known = json.loads(_file().read_text())
        return {name: int(known[name]) for name in names if name in known}
    except (OSError, ValueError, TypeError):
        return {}


def _file() -> Path:
    return cache.folder() / "crds" / "sizes.json"
