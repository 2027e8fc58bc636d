"""Why rules chose a file, and why not the others: each file in them, in words."""

from __future__ import annotations

from collections.abc import Iterator

from heliodor.references.selectors import Considered

from heliodor_crds.keywords import Parameters, keyword
from heliodor_crds.rules import Choice, Dated, Matched, NoFile, Rules
from heliodor_crds.values import weigh

_Rank = tuple[int, int, int, str]
"""The lower, the nearer: not chosen, values that do not fit, minus those that do, name."""


def considered(rules: Rules, values: Parameters) -> tuple[Considered, ...]:
    """Judge every file in the rules of a type, the nearest to the exposure first."""
    try:
        values = rules.masked(values)
        choice = rules.choose(values)
    except NoFile:
        choice = Choice("", "")
    match rules.root:
        case Dated() as dated:
            judged = list(_dated(dated, (), (), 0, values, choice))
        case Matched() as matched:
            judged = list(_matched(matched, values, choice))
        case _:
            judged = []
    return tuple(each for _, each in sorted(judged, key=lambda pair: pair[0]))


def _matched(
    root: Matched, values: Parameters, choice: Choice
) -> Iterator[tuple[_Rank, Considered]]:
    """Judge rows by the values that they are for."""
    for key, node in root.rows:
        named = [
            (name, part, weigh(part, values[name]))
            for name, part in zip(root.names, key, strict=True)
        ]
        misfits = tuple(
            f"for {keyword(name)} {part}, not {values[name]}"
            for name, part, one in named
            if one < 0
        )
        weight = sum(one for _, _, one in named if one > 0)
        if isinstance(node, Dated):
            yield from _dated(node, key, misfits, weight, values, choice, root.said(key))
        elif isinstance(node, str):
            chosen = key in choice.keys
            why = "; ".join(misfits) or root.said(key)
            if not misfits and not chosen:
                why += ": another row says more of the exposure"
            yield (not chosen, len(misfits), -weight, node), Considered(node, why, chosen)


def _dated(
    node: Dated,
    key: tuple[str, ...],
    misfits: tuple[str, ...],
    weight: int,
    values: Parameters,
    choice: Choice,
    fits: str = "",
) -> Iterator[tuple[_Rank, Considered]]:
    """Judge the files of a row by their dates."""
    try:
        place = node.place(values)
    except NoFile as error:
        place, misfits = -1, (*misfits, str(error))
    for number, (date, name) in enumerate(node.rows):
        chosen = number == place and name == choice.name and (not key or key in choice.keys)
        why = [*misfits, f"USEAFTER {date}"]
        if number > place:
            why[-1] += " is after the observation"
        elif number < place:
            why[-1] += f", followed by {node.rows[place][1]}"
        elif not misfits:
            why = [each for each in (fits, why[-1]) if each]
            if not chosen:
                said = f"{choice.name} is of the same or a later date"
                why[-1] += ": " + (said if key in choice.keys else "another row says more")
        rank = not chosen, len(misfits) + (number != place), -weight, name
        yield rank, Considered(name, "; ".join(why), chosen)
