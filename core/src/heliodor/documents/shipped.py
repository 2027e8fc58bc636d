"""Pipelines that plugins ship, and the one that an exposure goes through."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from heliodor.declare import ModeSpec, Resource
from heliodor.documents.apply import apply
from heliodor.documents.conditions import Facts
from heliodor.documents.expand import expand
from heliodor.documents.nodes import Document, PipelineNode
from heliodor.documents.parse import filled, parse, read
from heliodor.errors import NotYetError, PipelineError, PluginError, UsageError, did_you_mean
from heliodor.plugins import Registry

if TYPE_CHECKING:
    from heliodor.builds.history import Profile


@dataclass(frozen=True)
class Shipped:
    """A document inside a package; read when asked for.

    Attributes
    ----------
    resource : the file
    distribution : that installed it
    """

    resource: Resource
    distribution: str

    @property
    def name(self) -> str:
        """Name of the pipeline, which is also its file's."""
        return Path(self.resource.path).stem

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(str(files(self.resource.package))) / self.resource.path

    @cached_property
    def text(self) -> str:
        """The YAML; whoever ships what cannot be read is named."""
        try:
            return files(self.resource.package).joinpath(self.resource.path).read_text("utf-8")
        except (OSError, ImportError, UnicodeDecodeError) as error:
            raise PluginError(
                f"{self.distribution}: its pipeline {self.resource.path} cannot be read: {error}"
            ) from error

    @cached_property
    def document(self) -> Document:
        """The text, parsed."""
        try:
            return parse(self.text, self.path.name, "mode", self.path.parent)
        except PipelineError as error:
            raise PluginError(f"{self.distribution}: {error}") from error

    @property
    def broken(self) -> str:
        """Why it cannot be used, or nothing."""
        try:
            self.document  # noqa: B018
        except PluginError as error:
            return str(error)
        return ""


@dataclass(frozen=True)
class Chosen:
    """The pipeline of an exposure.

    Attributes
    ----------
    document : with all edits applied
    bare : before any edit
    sha256 : of the texts it was made of
    files : their names
    distribution : that shipped it; empty for a user's own pipeline
    """

    document: Document
    sha256: str
    files: tuple[str, ...]
    distribution: str
    bare: Document


def all_documents(plugins: Registry) -> list[Shipped]:
    """All pipelines that plugins ship, sorted by name."""
    shipped = [Shipped(resource, plugin.distribution) for resource, plugin in plugins.pipelines]
    return sorted(shipped, key=lambda each: (each.name, each.distribution))


def for_exposure(
    plugins: Registry,
    mode: ModeSpec,
    stage: int,
    facts: Facts,
    paths: Iterable[Path],
    profile: Profile | None = None,
) -> Chosen:
    """Find the pipeline of an exposure and apply a build's edits and the user's files to it.

    Parameters
    ----------
    plugins : what is installed
    mode : of the exposure
    stage : 1, 2 or 3
    facts : about the exposure
    paths : the user's documents: edits in the order in which they are applied; first may stand
        a whole pipeline to be taken instead of the mode's, or the name of one that is installed
    profile : of the build that is wanted; of one's own pipeline it changes parameters only

    Raises
    ------
    heliodor.errors.PipelineError
        A document cannot be understood, or is for other exposures.
    heliodor.errors.NotYetError
        The mode's pipeline is not written yet.
    """
    paths = list(paths)
    name = mode.pipelines.get(stage, "")
    if paths and not paths[0].suffix and not paths[0].exists():
        name = str(paths.pop(0))
    users = [read(path, "user file") for path in paths]
    if users and users[0].extends is None:
        users[0] = read(paths[0], "pipeline file")
    texts = [path.read_bytes() for path in paths]
    if users and users[0].extends is None:
        document, users, distribution = users[0], users[1:], ""
    else:
        named = users[0].extends if users else ""
        shipped = _shipped(plugins, named or name, mode, facts)
        texts.insert(0, shipped.text.encode())
        document, distribution = shipped.document, shipped.distribution

    def find(node: PipelineNode) -> Document | None:
        if node.when.evaluate(facts) is False:
            return None
        part = _shipped(plugins, node.pipeline, mode, facts)
        texts.append(part.text.encode())
        return part.document

    if profile is not None:
        of_build = profile.edits(document, facts, order=bool(distribution))
        users.insert(0, of_build)
        texts.append(repr(of_build.edits).encode())
    edited = expand(document, find)
    ports: set[str] = set()
    for user in users:
        ports |= filled(edited)
        edited = expand(apply(edited, user, ports=ports), find)
    if edited.for_.evaluate(facts) is False:
        raise PipelineError(
            f"{edited.name} is not for this exposure: {edited.for_.because(facts)}."
        )
    return Chosen(
        edited,
        hashlib.sha256(b"\0".join(texts)).hexdigest(),
        tuple(path.name for path in paths),
        distribution,
        document,
    )


def _shipped(plugins: Registry, name: str, mode: ModeSpec, facts: Facts) -> Shipped:
    """Find the document of a name that is for this exposure; the mode's own package counts more."""
    documents = all_documents(plugins)
    named = [each for each in documents if each.name == name]
    if not named:
        if name in mode.pipelines.values():
            raise NotYetError(f"{name}, the pipeline of {mode.title}, is not there yet.")
        raise UsageError(did_you_mean(name, {each.name for each in documents}, "pipeline"))
    sound = [each for each in named if not each.broken]
    if not sound:
        raise PluginError("; ".join(each.broken for each in named))
    fitting = [each for each in sound if each.document.for_.evaluate(facts) is not False]
    if not fitting:
        reasons = "; ".join(
            f"{each.distribution}: {each.document.for_.because(facts)}" for each in sound
        )
        raise NotYetError(f"{name} is not there yet for this exposure ({reasons}).")
    owner = plugins.owner(mode).distribution
    own = [each for each in fitting if each.distribution == owner]
    trusted = [each for each in fitting if each.distribution in mode.providers]
    best = own or trusted or fitting
    if len(best) > 1:
        raise PluginError(
            f"{name} for this exposure is offered by "
            + " and by ".join(each.distribution for each in best)
        )
    return best[0]
