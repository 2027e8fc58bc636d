"""What the environment says about CRDS; read as the client of CRDS reads it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from heliodor.errors import NotYetError, UsageError

OBSERVATORY = "jwst"
MODES = ("auto", "local", "remote")
"""Values of CRDS_MODE; the choice is always made here, and always the same."""


@dataclass(frozen=True)
class Settings:
    """Where a cache is, and which rules are wanted.

    Attributes
    ----------
    mappings, references, config : folders of the cache
    server : address of the server; empty: none
    context : of the rules, as CRDS_CONTEXT gives it; empty: the server's, or the cache's own
    """

    mappings: Path
    references: Path
    config: Path
    server: str = ""
    context: str = ""

    @property
    def connected(self) -> bool:
        """Whether there is a server that can be asked."""
        return connected(self.server)


def read() -> Settings | None:
    """Read the environment; None if no cache is set.

    Raises
    ------
    UsageError
        CRDS_MODE is not one of those allowed.
    """
    places = [_place(kind, sub) for kind, sub in _FOLDERS]
    if None in places:
        return None
    mode = os.environ.get("CRDS_MODE", "auto")
    if mode == "s3":
        raise NotYetError("CRDS_MODE=s3: references in the cloud are not read yet; use auto.")
    if mode not in MODES:
        raise UsageError(f"CRDS_MODE={mode} is not allowed: one of {', '.join(MODES)}.")
    mappings, references, config = (Path(place) for place in places if place)
    return Settings(
        mappings,
        references,
        config,
        os.environ.get("CRDS_SERVER_URL", "").strip(),
        os.environ.get("CRDS_CONTEXT", "").strip(),
    )


def connected(url: str) -> bool:
    """Whether an address is that of a server, and not one of those that stand for none."""
    return bool(url) and not re.search("server-?less", url)


def is_set(name: str) -> bool:
    """Whether a switch of the environment is on."""
    return os.environ.get(name, "").strip().lower() in ("1", "t", "true")


_FOLDERS = (
    ("CRDS_MAPPATH", "mappings"),
    ("CRDS_REFPATH", "references"),
    ("CRDS_CFGPATH", "config"),
)


def _place(variable: str, folder: str) -> str | None:
    """Find a folder of the cache; ``_SINGLE`` is for caches of one observatory."""
    env = os.environ.get
    if single := env(f"{variable}_SINGLE"):
        return single
    if several := env(variable):
        return os.path.join(several, OBSERVATORY)
    if single := env("CRDS_PATH_SINGLE"):
        return os.path.join(single, folder)
    if several := env("CRDS_PATH"):
        return os.path.join(several, folder, OBSERVATORY)
    return None
