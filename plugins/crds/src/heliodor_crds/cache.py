"""The folders of a CRDS cache: where mappings, references and the server's last words lie."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from heliodor_crds.settings import Settings

FLAT, BY_INSTRUMENT = "flat", "instrument"
"""Layouts of the references: all in one folder, or one for each instrument."""

CROWD = 20
"""A cache that does not say its layout is flat if its folder has more entries than this."""

MANY = 8
"""Contexts that are named in messages."""


@dataclass(frozen=True)
class Cache:
    """A cache of mappings and references."""

    settings: Settings

    def mapping(self, name: str) -> Path:
        """Say where a mapping is, or belongs."""
        return self.settings.mappings / name

    def reference(self, name: str, instrument: str) -> Path:
        """Say where a reference is, or belongs if it is in neither layout's place."""
        flat = self.settings.references / name
        own = self.settings.references / instrument.lower() / name
        places = (flat, own) if self._layout == FLAT else (own, flat)
        return next((place for place in places if place.is_file()), places[0])

    def listed(self) -> str:
        """Name the contexts that are there, in words; of many the latest."""
        names = sorted(path.name for path in self.settings.mappings.glob("*.pmap"))
        more = f" and {len(names) - MANY} earlier ones" if len(names) > MANY else ""
        return (", ".join(names[-MANY:]) or "none") + more + "."

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What the server said of itself when it was last asked; empty if it never was."""
        try:
            text = (self.settings.config / "server_config").read_text("utf-8")
            info = ast.literal_eval(text)
        except (OSError, ValueError, SyntaxError):
            return {}
        return info if isinstance(info, dict) else {}

    @cached_property
    def bad(self) -> frozenset[str]:
        """Files that the observatory has declared scientifically invalid."""
        return frozenset(self.info.get("bad_files_list") or ())

    @cached_property
    def _layout(self) -> str:
        try:
            return (self.settings.config / "ref_cache_subdir_mode").read_text().strip()
        except OSError:
            pass
        try:
            several = len(list(self.settings.references.iterdir())) > CROWD
        except OSError:
            several = False
        return FLAT if several else BY_INSTRUMENT
