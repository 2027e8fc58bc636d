"""Small CRDS caches, their mappings written here."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from heliodor.declare import RefNeed
from heliodor.references.selectors import Sources

DAY = ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME")
HEADER = {"INSTRUME": "NIRCAM", "DATE-OBS": "2022-07-12", "TIME-OBS": "01:02:03.4"}


def signed(text: str) -> str:
    """Put the checksum of a mapping's text into it."""
    bare = "".join(line for line in text.splitlines(keepends=True) if "sha1sum" not in line)
    return text.replace("@@", hashlib.sha1(bare.encode()).hexdigest())


class Cache:
    """A cache in a folder; made of mappings that a test gives."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.mappings = folder / "mappings/jwst"
        self.config = folder / "config/jwst"
        for place in (self.mappings, self.config):
            place.mkdir(parents=True)
        self.types: dict[str, str] = {}

    def write(self, name: str, header: dict[str, Any], selector: str) -> Path:
        """Write a mapping."""
        header = {"name": name, "observatory": "JWST", "derived_from": "nothing", **header}
        lines = "".join(f"    {key!r} : {value!r},\n" for key, value in header.items())
        path = self.mappings / name
        path.write_text(
            signed(f"header = {{\n{lines}    'sha1sum' : '@@',\n}}\n\nselector = {selector}\n")
        )
        return path

    def rules(self, type: str, names: tuple[str, ...], selector: str, **header: Any) -> None:
        """Write the rules of a type; the context is to be written after all of them."""
        name = f"jwst_nircam_{type}_0001.rmap"
        header = {
            "mapping": "REFERENCE", "instrument": "NIRCAM", "filekind": type.upper(),
            "parkey": (names, DAY), "classes": ("Match", "UseAfter"), **header,
        }  # fmt: skip
        self.write(name, header, selector)
        self.types[type.upper()] = name

    def context(self, number: int = 1, **types: str) -> str:
        """Write the contexts above the rules; further types are ``N/A`` and the like."""
        instrument, name = f"jwst_nircam_{number:04}.imap", f"jwst_{number:04}.pmap"
        above = {"mapping": "INSTRUMENT", "instrument": "NIRCAM", "parkey": ("REFTYPE",)}
        self.write(instrument, above, repr({**self.types, **types}))
        top = {"mapping": "PIPELINE", "parkey": ("META.INSTRUMENT.NAME",)}
        self.write(name, top, repr({"NIRCAM": instrument}))
        return name


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache that the environment names, without a server."""
    import os

    for name in [name for name in os.environ if name.startswith("CRDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "crds"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    return Cache(tmp_path / "crds")


@pytest.fixture
def select():
    """Ask the selector for some types; one type gives one answer."""

    def select(
        *types: str, context: str = "jwst_0001.pmap", online: bool = False, **keywords: Any
    ) -> Any:
        from heliodor_crds.selector import Crds

        header = {**HEADER, **{name.replace("_", "-"): keywords.pop(name) for name in [*keywords]
                  if name in ("DATE_OBS", "TIME_OBS")}, **keywords}  # fmt: skip
        selector = Crds(Sources(context=context, online=online))
        answers = selector.select(tuple(map(RefNeed, types)), header)
        return answers[types[0]] if len(types) == 1 else answers

    return select


@pytest.fixture
def choose(cache, select):
    """Write the rules of one type and give the name, or the words, of its answer."""

    def choose(names: tuple[str, ...], selector: str, keywords: dict[str, Any], **header: Any):
        from heliodor.references.selectors import Found

        cache.rules("dark", names, selector, **header)
        answer = select("dark", context=cache.context(), **keywords)
        return answer.path.name if isinstance(answer, Found) else answer

    return choose
