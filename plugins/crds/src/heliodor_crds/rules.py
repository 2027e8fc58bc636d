"""The rules of one reference type: which file they choose for an exposure, and how they got there.

A tree is walked from the top.  `Match` takes the rows that fit, those first that name most of the
exposure's values; rows that name equally many are joined.  `UseAfter` takes the latest file that is
not after the observation; if there is none, the next best rows have their turn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from heliodor_crds import expressions
from heliodor_crds.dates import normal
from heliodor_crds.keywords import UNDEFINED, Parameters, keyword
from heliodor_crds.mappings import MATCH, NONE, OMITTED, USE_AFTER, plain, version
from heliodor_crds.values import ANY, NOT_APPLICABLE, alternatives, conditioned, special, weigh


class NoFile(LookupError):
    """The rules have no file for an exposure; `Missed` if other rows are to be tried."""


class Missed(NoFile):
    """Rows that fit lead to no file."""


@dataclass(frozen=True)
class Choice:
    """What rules lead to.

    Attributes
    ----------
    name : of the file; of several that are equally good, all; empty: none applies
    why : the rows on the way, in words
    keys : of the rows at the top
    """

    name: str | tuple[str, ...]
    why: str
    keys: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Dated:
    """Files by the date or the version from which they are used: `UseAfter`, `VersionAfter`.

    Attributes
    ----------
    kind : of the two
    names : of the values that are compared
    rows : key and file, in order
    """

    kind: str
    names: tuple[str, ...]
    rows: tuple[tuple[Any, str], ...]

    def place(self, values: Parameters) -> int:
        """Give the number of the row to use; -1 if all are for later."""
        return bisect_right([key for key, _ in self.rows], self.moment(values)) - 1

    def moment(self, values: Parameters) -> Any:
        """Give the date or version of an exposure, as it is compared."""
        parts = [values[name].strip() for name in self.names]
        for name, part in zip(self.names, parts, strict=True):
            if part == UNDEFINED:
                raise NoFile(f"the exposure has no {keyword(name)}")
        try:
            return normal(" ".join(parts)) if self.kind == USE_AFTER else version(".".join(parts))
        except ValueError as error:
            names = " ".join(map(keyword, self.names))
            raise NoFile(f"{names} = '{' '.join(parts)}' cannot be used: {error}") from None

    def choose(self, values: Parameters) -> Choice:
        """Choose the last row that is not after the exposure."""
        number = self.place(values)
        if number < 0:
            first = self.rows[0][0] if self.rows else "ever"
            raise Missed(f"its first file is for {first} and later, not {self.moment(values)}")
        key, name = self.rows[number]
        return Choice(name, f"USEAFTER {key}" if self.kind == USE_AFTER else f"since {key}")

    def joined(self, other: Node) -> Dated:
        """Join with equally good rows; of two files of one date the later name counts."""
        if not isinstance(other, Dated) or other.kind != self.kind:
            raise NoFile("equally good rows lead to different things")
        rows = dict(self.rows)
        for key, name in other.rows:
            rows[key] = max(rows.get(key, name), name)
        return Dated(self.kind, self.names, tuple(sorted(rows.items())))


@dataclass(frozen=True)
class Matched:
    """Rows told apart by values of the exposure.

    Attributes
    ----------
    names : of the values
    rows : a key for each name, and what they lead to
    merges : whether equally good rows are joined; otherwise they are an error
    substitutions : values that stand for others, by name
    """

    names: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], Node], ...]
    merges: bool
    substitutions: Mapping[str, Mapping[str, Any]]

    @cached_property
    def allowed(self) -> dict[str, frozenset[str]]:
        """All values in the keys of each name; none if some key is an expression."""
        found = {}
        for number, name in enumerate(self.names):
            keys = {key[number] for key, _ in self.rows}
            listed = [] if any(map(special, keys)) else keys
            found[name] = frozenset(value for key in listed for value in alternatives(key))
        return found

    def choose(self, values: Parameters) -> Choice:
        """Choose by the rows that fit best, or by the next best if these lead to no file."""
        for name in self.names:
            self._check(name, values[name], self.allowed[name])
        said = "no row fits"
        for rows in self.fitting(values):
            node = self._one([node for _, node in rows])
            try:
                found = chosen(node, values)
            except Missed as error:
                said = str(error)
                continue
            said = " or ".join(self.said(key) for key, _ in rows)
            keys = tuple(key for key, _ in rows)
            return Choice(found.name, "; ".join(filter(None, (said, found.why))), keys)
        raise Missed(said)

    def fitting(self, values: Parameters) -> list[list[tuple[tuple[str, ...], Node]]]:
        """Give the rows that fit, those together that fit equally well, the best first."""
        wanted = [values[name] for name in self.names]
        groups: dict[int, list[tuple[tuple[str, ...], Node]]] = {}
        for row in self.rows:
            weight = 0
            for key, value in zip(row[0], wanted, strict=True):
                one = weigh(key, value)
                if one < 0:
                    break
                weight += one
            else:
                groups.setdefault(weight, []).append(row)
        return [groups[weight] for weight in sorted(groups, reverse=True)]

    def said(self, key: Iterable[str]) -> str:
        """Put the key of a row into words."""
        return ", ".join(
            f"{keyword(name)}={part}" for name, part in zip(self.names, key, strict=True)
        )

    def _one(self, nodes: list[Node]) -> Node | tuple[Node, ...]:
        """Join what equally good rows lead to."""
        first = nodes[0]
        if len(nodes) == 1:
            return first
        if not self.merges:
            raise NoFile("several rows fit equally well, and are not to be joined")
        if isinstance(first, str):
            return tuple(nodes)
        if isinstance(first, Matched):
            raise NoFile("several rows of rows fit equally well")
        for other in nodes[1:]:
            first = first.joined(other)
        return first

    def _check(self, name: str, value: Any, allowed: frozenset[str]) -> None:
        """Refuse a value that none of the rows knows.

        A value that only a pattern fits is refused as well, unless some row takes any value: CRDS
        compares with the patterns themselves.
        """
        if not allowed or allowed & {value, conditioned(value), ANY, NOT_APPLICABLE}:
            return None
        if value.startswith("NOT"):
            return self._check(name, value[3:].strip(), allowed)
        if special(value) or value in (ANY, NOT_APPLICABLE):
            return None
        if len(allowed) == 1 and _within(value, *allowed):
            return None
        stands_for = self.substitutions.get(name, {}).get(value)
        if isinstance(stands_for, str):
            return self._check(name, stands_for, allowed)
        raise NoFile(f"{keyword(name)}={value} is not known to the rules")


Node = str | Dated | Matched


def chosen(node: Node | tuple[Node, ...], values: Parameters) -> Choice:
    """Follow one branch of a tree."""
    if isinstance(node, str):
        return Choice("" if node in NONE else node, "")
    if isinstance(node, tuple):
        return Choice(tuple(each if isinstance(each, str) else "rows by date" for each in node), "")
    found = node.choose(values)
    return replace(found, name="") if found.name in NONE else found


def _within(value: str, limits: str) -> bool:
    """Whether a value lies between two numbers, ``1:5``."""
    low, colon, high = limits.partition(":")
    try:
        return bool(colon) and float(low) <= float(value) <= float(high)
    except ValueError:
        return False


@dataclass(frozen=True)
class Rules:
    """The rules of one reference type of an instrument.

    Attributes
    ----------
    name : of their file
    root : the top of the tree
    header : what holds for all of it
    outer : names that expressions may have because of the contexts around
    """

    name: str
    root: Node
    header: Mapping[str, Any]
    outer: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any], outer: Iterable[str] = ()) -> Rules:
        """Make rules of the plain data of a mapping."""
        return cls(name, _built(data["selector"], data["header"]), data["header"], tuple(outer))

    def choose(self, values: Parameters) -> Choice:
        """Choose the file for an exposure.

        Raises
        ------
        NoFile
            They have none, which they do not allow.
        """
        words = self._words(values)
        if _holds(self.header["omitted"], words, otherwise=False):
            return Choice("", "rmap_omit: the type is left out")
        if not _holds(self.header["relevant"], words, otherwise=True):
            return Choice("", f"rmap_relevance: not {self.header['relevant']}")
        try:
            found = chosen(self.root, self.masked(values))
        except NoFile as error:
            if self.header["required"]:
                raise
            return Choice("", f"reffile_required: no; {error}")
        return replace(found, name="") if found.name in OMITTED else found

    def masked(self, values: Parameters) -> Parameters:
        """Give the values with those made N/A that do not matter (``parkey_relevance``)."""
        if not self.header["keys"]:
            return values
        words = {**self._words(values), "keep_comments": False}
        masked = Parameters({})
        for name in self.header["names"]:
            masked[name] = values[name]
            text = self.header["keys"].get(name.lower())
            if text is None:
                continue
            try:
                relevant = expressions.evaluate(expressions.parsed(text), words)
            except (KeyError, TypeError) as error:
                raise NoFile(f"parkey_relevance of {name} cannot be evaluated: {error}") from None
            if not relevant:
                masked[name] = NOT_APPLICABLE
        return masked

    def _words(self, values: Parameters) -> dict[str, Any]:
        return {plain(name): values[name] for name in (*self.header["names"], *self.outer)}


def _holds(text: str, words: Mapping[str, Any], *, otherwise: bool) -> bool:
    """Evaluate a condition; one that cannot be is taken for `otherwise`, as CRDS does."""
    try:
        return bool(expressions.evaluate(expressions.parsed(text), words))
    except (KeyError, TypeError):
        return otherwise


def _built(data: Any, header: Mapping[str, Any]) -> Node:
    """Make the nodes of a tree."""
    if isinstance(data, str):
        return data
    kind, names, rows = data
    if kind == MATCH:
        return Matched(
            tuple(names),
            tuple((tuple(key), _built(value, header)) for key, value in rows),
            header["merges"],
            header["substitutions"],
        )
    pairs = ((key if kind == USE_AFTER else tuple(key), value) for key, value in rows)
    return Dated(kind, tuple(names), tuple(pairs))
