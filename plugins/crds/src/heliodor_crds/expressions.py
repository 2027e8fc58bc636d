"""Conditions in the headers of rules (``EXP_TYPE in ['NRC_IMAGE']``), evaluated node by node.

Nothing of a mapping is ever executed: an expression has names of keywords, constants, comparisons,
``and``, ``or``, ``not`` and a choice between two values, and no calls.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}


@lru_cache(maxsize=1024)
def parsed(text: str) -> ast.expr:
    """Parse an expression.

    Raises
    ------
    ValueError
        It is no expression, or has something in it that is not allowed.
    """
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"'{text}' is no expression: {error.msg}") from None
    _check(tree, text)
    return tree


def evaluate(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """Evaluate a parsed expression.

    Raises
    ------
    KeyError
        It has a name that `names` does not have.
    TypeError
        Values of these kinds cannot be compared.
    """
    match tree:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return [evaluate(item, names) for item in items]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not evaluate(operand, names)
        case ast.UnaryOp(operand=operand):
            return -evaluate(operand, names)
        case ast.IfExp(test=test, body=body, orelse=other):
            return evaluate(body if evaluate(test, names) else other, names)
        case ast.BoolOp(op=joint, values=values):
            value = None
            for each in values:
                value = evaluate(each, names)
                if bool(value) == isinstance(joint, ast.Or):
                    break
            return value
        case ast.Compare(left=first, ops=ops, comparators=others):
            left = evaluate(first, names)
            for op, other in zip(ops, others, strict=True):
                right = evaluate(other, names)
                if not _COMPARISONS[type(op)](left, right):
                    return False
                left = right
            return True
    raise ValueError(f"{type(tree).__name__} is not allowed")


_ALLOWED = (
    ast.Constant, ast.Name, ast.Load, ast.Tuple, ast.List, ast.UnaryOp, ast.Not, ast.USub,
    ast.IfExp, ast.BoolOp, ast.And, ast.Or, ast.Compare, *_COMPARISONS,
)  # fmt: skip


def _check(tree: ast.expr, text: str) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"'{text}': {type(node).__name__} is not allowed")
