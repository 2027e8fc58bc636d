"""All builds and changes on record, and a build as edits of today's pipeline.

A build is not written down as a whole.  On record is each *change*, with the release that brought
it and the edits that lead back.  To go to a build, the edits of all later changes are applied,
the latest first: each finds the pipeline as its own release left it.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from heliodor.builds.records import Build, Change, Record, parse
from heliodor.documents.conditions import Facts
from heliodor.documents.nodes import Document, Edit, Set, StepNode, labelled
from heliodor.documents.yaml import Place
from heliodor.errors import PluginError, UsageError, did_you_mean
from heliodor.layers import Given
from heliodor.plugins import Registry


@dataclass(frozen=True)
class Source:
    """A document of builds and who ships it."""

    record: Record
    distribution: str


class History:
    """What the installed plugins know about builds.

    Parameters
    ----------
    plugins : whose documents are read

    Raises
    ------
    heliodor.errors.PipelineError
        A document cannot be understood.
    heliodor.errors.PluginError
        Two declare a build of one name.
    """

    def __init__(self, plugins: Registry):
        self.sources = [
            Source(parse(_text(resource), f"{resource.package}/{resource.path}"), owner)
            for resource, owner in sorted(
                ((resource, plugin.distribution) for resource, plugin in plugins.builds),
                key=lambda each: (each[1], each[0].path),
            )
        ]
        declared: dict[str, tuple[Build, str]] = {}
        for source in self.sources:
            for build in source.record.builds:
                if build.name in declared:
                    raise PluginError(
                        f"build {build.name} is declared by {declared[build.name][1]} and by "
                        f"{source.distribution}"
                    )
                declared[build.name] = build, source.distribution
        newest_first = sorted(declared.values(), key=lambda each: each[0].version, reverse=True)
        self.builds = {build.name: build for build, _ in newest_first}

    def find(self, name: str) -> Build:
        """Find a build by its name, ``9.3.1``, ``B9.3.1``, or by that of its series, ``9.3``.

        Raises
        ------
        UsageError
            There is none; the message names the nearest.
        """
        wanted = name.strip().removeprefix("B").removeprefix("b")
        if wanted in self.builds:
            return self.builds[wanted]
        if "." in wanted:
            for known, build in self.builds.items():  # the newest of the series comes first
                if known.startswith(f"{wanted}."):
                    return build
        raise UsageError(did_you_mean(wanted, self.builds, "build"))

    def before(self, build: Build) -> Build | None:
        """Give the build before another, or None."""
        older = (each for each in self.builds.values() if each.version < build.version)
        return next(older, None)

    def between(self, older: Build, newer: Build) -> tuple[Change, ...]:
        """Give what `newer` has and `older` has not, in the order of releases."""
        if older.version > newer.version:
            raise UsageError(f"build {older.name} is newer than {newer.name}: name the older first")
        found = (
            change
            for source in self.sources
            for change in source.record.changes
            if older.version < change.version <= newer.version
        )
        return tuple(sorted(found, key=lambda change: change.version))

    def unrecorded(self, build: Build) -> Iterator[str]:
        """Say of what changes are not on record back to a build."""
        for source in self.sources:
            begins = source.record.begins
            if begins and build.version < tuple(map(int, begins.split("."))):
                yield f"{source.record.about}: on record from jwst {begins} on"

    def profile(self, name: str, trusted: Collection[str] | None = None) -> Profile:
        """Give what leads from today's pipeline to a build.

        Parameters
        ----------
        name : of the build
        trusted : distributions whose changes count; None: all
        """
        build = self.find(name)
        later = [
            change
            for source in self.sources
            if trusted is None or source.distribution in trusted
            for change in source.record.changes
            if change.lacks(build)
        ]
        later.sort(key=lambda change: change.version, reverse=True)
        return Profile(build, tuple(later), tuple(self.unrecorded(build)))


@dataclass(frozen=True)
class Profile:
    """A build as it differs from what Heliodor does by default.

    Attributes
    ----------
    build : the build
    changes : those that it has not, the latest first
    unrecorded : of what changes are not on record
    """

    build: Build
    changes: tuple[Change, ...]
    unrecorded: tuple[str, ...] = ()

    def edits(self, document: Document, facts: Facts, order: bool = True) -> Document:
        """Give the edits that make a pipeline that of the build, as a document.

        Parameters
        ----------
        document : the pipeline
        facts : about the exposure
        order : whether steps are moved, removed and put in; False: parameters only
        """
        edits = [edit for change in self._about(document, facts) for edit in change.before]
        if not order:
            edits = [_everywhere(edit, document) for edit in edits if isinstance(edit, Set)]
        place = Place(f"build {self.build.name}", 1)
        return Document("", place, extends=document.name, edits=tuple(edits))

    def lacking(
        self,
        document: Document,
        facts: Facts,
        running: Mapping[str, str],
        trusted: Collection[str],
    ) -> tuple[str, ...]:
        """Say what of the build is not reproduced for an exposure.

        Parameters
        ----------
        document : the pipeline before the build's edits
        facts : about the exposure
        running : distribution that does it, by name of the steps that will run
        trusted : distributions of which builds are on record
        """
        strange = {name: by for name, by in running.items() if by not in trusted}
        absent = {
            change.step
            for change in self.changes
            if change.kind == "step" and change.before and change.when.evaluate(facts) is True
        }
        return (
            *(
                f"{change.step}, changed in jwst {change.jwst}: {change.what}"
                for change in self._about(document, facts)
                if change.here == "new"
                and change.step not in absent
                and (change.ran or change.step in running.keys() - strange.keys())
            ),
            *(
                f"{name}: {by} does it, whose builds are not on record"
                for name, by in strange.items()
                if name in _steps(document)
            ),
        )

    def refuse_absent(
        self, given: Iterable[Given], there: Collection[str], document: Document
    ) -> None:
        """Refuse parameters of steps that the pipeline has, but not in this build.

        Parameters
        ----------
        given : what was asked for
        there : labels and names of the steps that are left
        document : the pipeline before the build's edits
        """
        gone = _steps(document) - set(there)
        wrong = [
            f"{each.step}.{each.param} ({each.origin}): build {self.build.name} has no {each.step}."
            for each in given
            if each.step in gone
        ]
        if wrong:
            raise UsageError("\n".join(wrong))

    def _about(self, document: Document, facts: Facts) -> Iterator[Change]:
        """Give the changes that concern a pipeline and an exposure, the latest first."""
        steps = _steps(document)
        for change in self.changes:
            concerned = not change.pipelines or document.name in change.pipelines
            if concerned and change.step in steps and change.when.evaluate(facts) is True:
                yield change


@dataclass(frozen=True)
class Reproduction:
    """A build as a plan reproduces it.

    Attributes
    ----------
    build : the build
    lacking : what it cannot do as the build did, in sentences
    """

    build: Build
    lacking: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Give it as plain data, for plans and receipts."""
        return {
            "name": self.build.name,
            "jwst": self.build.jwst,
            "sdp": self.build.sdp,
            "crds_context": self.build.context,
            "crds_context_fixed": self.build.crds_fixed,
            "not_reproduced": list(self.lacking),
        }


def _text(resource: Any) -> str:
    return files(resource.package).joinpath(resource.path).read_text("utf-8")


def _steps(document: Document) -> set[str]:
    return {node.step for _, node in labelled(document.steps) if isinstance(node, StepNode)}


def _everywhere(edit: Set, document: Document) -> Edit:
    """Give parameters to all steps of a name, wherever they stand; there may be none."""
    settings = tuple(
        ("/".join((document.name, *path)), setting)
        for step, setting in edit.settings
        for path, node in labelled(document.steps)
        if isinstance(node, StepNode) and node.step == step
    )
    return Set(settings, edit.place)


@functools.cache
def history(plugins: Registry) -> History:
    """Read the documents of builds, once for all exposures."""
    return History(plugins)


def sentences(profile: Profile, own: bool, contexts: Collection[str]) -> Iterable[str]:
    """Say what no plan reproduces of a build, whatever the exposure.

    Parameters
    ----------
    profile : the build's
    own : whether the pipeline is the user's own
    contexts : that chose references
    """
    context = profile.build.context
    if context and not contexts:
        yield (
            f"{context}: CRDS is not set up; reference files are those given, and parameter "
            "references (pars-*) of that context are not read"
        )
    elif context and {*contexts} != {context}:
        yield f"{context}: references are chosen by {', '.join(sorted(contexts))}"
    elif context and not profile.build.crds_fixed:
        yield f"{context}: not of all products of the build; CRDS_CTX in their headers says"
    if own:
        yield "the order of steps: the pipeline is your own, the build gives parameters only"
    yield from profile.unrecorded
