"""Dataclasses from plain data and back: nested dicts, as JSON has them, and dotted paths."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ssmpe.errors import UserError

LARGEST = 2**63 - 1
"""Largest whole number that arrays can hold."""
_SHOWN = 200
"""Largest number of characters of a value in a message."""


def require(condition: bool, what: str, value: object, expected: str) -> None:
    """Check a setting.

    Args:
        what: the setting, by its dotted path.

    Raises:
        UserError: the condition does not hold; prints the value, and what is expected.
    """
    if not condition:
        raise UserError(f"{what} = {value!r:.{_SHOWN}}: expected {expected}")


def require_within(what: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Check that a number lies between two others, both included; NaN never does.

    Args:
        what: the setting, by its dotted path.
        unit: of the number, for the message.

    Raises:
        UserError: it does not; prints the number, and the range.
    """
    expected = f"{_number(low)} to {_number(high)} {unit}".rstrip()
    require(low <= value <= high, what, value, expected)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def set_path(values: dict[str, Any], path: str, value: Any, open_mappings: Sequence[str]) -> None:
    """Set what a dotted path leads to in nested dicts; new keys only in the mappings named.

    Raises:
        UserError: there is no such path; names what there is.
    """
    node: Any = values
    *parents, last = path.split(".")
    for depth, part in enumerate(parents):
        if not isinstance(node, dict) or part not in node:
            known = ", ".join(node) if isinstance(node, dict) else "nothing below"
            at = ".".join(parents[: depth + 1])
            raise UserError(f"no setting {path!r}: {at!r} is unknown (known here: {known})")
        node = node[part]
    takes_new = ".".join(parents) in open_mappings
    if not isinstance(node, dict) or (last not in node and not takes_new):
        known = ", ".join(node) if isinstance(node, dict) else "nothing below"
        raise UserError(f"no setting {path!r} (known here: {known})")
    node[last] = value


def flatten(node: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested dicts as pairs of dotted path and value."""
    items: list[tuple[str, Any]] = []
    for key, value in node.items():
        path = f"{prefix}{key}"
        items += flatten(value, f"{path}.") if isinstance(value, dict) else [(path, value)]
    return items


def build(cls: Any, values: Mapping[str, Any], prefix: str = "") -> Any:
    """Build a (nested) dataclass from nested dicts; missing keys take their defaults.

    Raises:
        UserError: an unknown key, or a value of another type; names it by its path.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}
    if not isinstance(values, Mapping):
        require(False, prefix.rstrip("."), values, "a group of settings")
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise UserError(f"no setting {prefix + unknown[0]!r} (known here: {', '.join(fields)})")
    arguments = {}
    for name, value in values.items():
        kind = fields[name].type
        if dataclasses.is_dataclass(kind):
            arguments[name] = build(kind, value, f"{prefix}{name}.")
        else:
            arguments[name] = _coerce(kind, value, prefix + name)
    return cls(**arguments)


def _coerce(kind: Any, value: Any, path: str) -> Any:
    """Check a plain value against a field's type; an int is accepted where a float is meant."""
    if kind is bool:
        require(isinstance(value, bool), path, value, "true or false")
    elif kind is int:
        ok = isinstance(value, int) and not isinstance(value, bool)
        require(ok and abs(value) <= LARGEST, path, value, "a whole number")
    elif kind is float or kind == (float | None):
        if value is None and kind is not float:
            return None
        ok = isinstance(value, int | float) and not isinstance(value, bool)
        require(ok and _is_finite(value), path, value, "a finite number")
        return float(value)
    elif kind is str:
        require(isinstance(value, str), path, value, "text")
    elif str(kind).startswith("tuple"):
        require(isinstance(value, list | tuple), path, value, "a list")
        item = float if "float" in str(kind) else str
        return tuple(_coerce(item, entry, f"{path}[{i}]") for i, entry in enumerate(value))
    else:  # the mappings
        require(isinstance(value, Mapping), path, value, "a mapping such as {'name': 1}")
        for key, number in value.items():
            if "bool" in str(kind):
                require(isinstance(number, bool), f"{path}.{key}", number, "true or false")
                continue
            ok = isinstance(number, int | float) and not isinstance(number, bool)
            require(ok and _is_finite(number), f"{path}.{key}", number, "a finite number")
            if "int" in str(kind).split(",")[-1]:
                require(number == int(number), f"{path}.{key}", number, "a whole number")
    return value


def _is_finite(value: float) -> bool:
    """Tell whether a number fits into a float; a whole one may be of any size."""
    return abs(value) <= sys.float_info.max
