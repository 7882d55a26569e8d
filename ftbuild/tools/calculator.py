"""Arithmetic as the tool `calculate` works it out: numbers, + - * / // % **, brackets; nothing else, and no eval.

Bounded: an expression has 200 characters at most, a whole number 1,000 digits, so a model that writes 9**9**9 gets an
error in a microsecond.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 200
MOST_BITS = 3322  # 1,000 digits
SIGNIFICANT = 12  # 3*24.9 is 74.7, not 74.69999999999999
Number = int | float

BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


def run(_name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"expression", "value"}` for the argument `expression`.

    Raises:
        ValueError: there is no such argument, or `value` raises.
    """
    expression = arguments.get("expression")
    if not isinstance(expression, str):
        raise ValueError("expression is missing")
    return {"expression": expression, "value": value(expression)}


def value(expression: str) -> Number:
    """Return what an expression comes to, in 12 significant digits; a whole value is an int.

    Raises:
        ValueError: it is no arithmetic, too long, too large, or has no real value.
    """
    if len(expression) > LONGEST:
        raise ValueError(f"an expression has {LONGEST} characters at most")
    try:
        found = _worked_out(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("not an arithmetic expression") from None
    except ZeroDivisionError:
        raise ValueError("division by zero") from None
    except OverflowError:
        raise ValueError("the value is too large") from None
    if isinstance(found, int):
        return found
    if not math.isfinite(found):
        raise ValueError("the value is too large")
    rounded = float(f"{found:.{SIGNIFICANT}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _worked_out(node: ast.expr) -> Number:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _bounded(node.value)
    if isinstance(node, ast.UnaryOp) and type(node.op) in UNARY:
        return _bounded(UNARY[type(node.op)](_worked_out(node.operand)))
    if isinstance(node, ast.BinOp):
        left, right = _worked_out(node.left), _worked_out(node.right)
        if isinstance(node.op, ast.Pow):
            return _power(left, right)
        if type(node.op) in BINARY:
            return _bounded(BINARY[type(node.op)](left, right))
    raise ValueError("only numbers, + - * / // % ** and brackets")


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and (base.bit_length() - 1) * exponent > MOST_BITS:
        raise OverflowError
    if base < 0 and not float(exponent).is_integer():
        raise ValueError("a root of a negative number")
    return _bounded(base**exponent)


def _bounded(number: Any) -> Number:
    if isinstance(number, int) and number.bit_length() > MOST_BITS:
        raise OverflowError
    return number  # type: ignore[no-any-return]
