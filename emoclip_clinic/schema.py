"""TOML tables into frozen dataclasses, with every problem collected and not only the first."""

from __future__ import annotations

import dataclasses
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.resources import close_matches

__all__ = ["build", "from_table"]

T = TypeVar("T")


def build(cls: type[T], table: dict[str, Any], where: str, problems: list[str]) -> T | None:
    """Make a dataclass from a TOML table, nested ones included.

    A field may be a text, a whole number, a number, a boolean, another dataclass (or None), a
    union, or a tuple or a dict of any of these. A field without a default is a required key.

    Parameters
    ----------
    cls
        The dataclass: its fields are the keys that are allowed.
    table
        What `tomllib` read.
    where
        The place that messages name, like "items[3]"; empty at the top of the file.
    problems
        Grows by one text a problem: unknown key, missing key, value of another type.

    Returns
    -------
        The dataclass, or None where a key is missing or of another type. An unknown key alone does
        not hide what else there is to say of the file.
    """
    types = get_type_hints(cls)
    place = f"{where}: " if where else ""
    for key in sorted(table.keys() - types.keys()):
        hint = close_matches(key, list(types))
        problems.append(f"{place}unknown key {key!r}. {hint}Allowed: {', '.join(types)}")
    missing = [
        f"{place}the key {field.name!r} is missing"
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if field.default is field.default_factory is dataclasses.MISSING and field.name not in table
    ]
    problems += missing
    values = {
        key: _value(types[key], value, f"{place}{key}", problems)
        for key, value in table.items()
        if key in types
    }
    unusable = missing or any(value is None for value in values.values())
    return None if unusable else cls(**values)


def from_table(cls: type[T], table: dict[str, Any], where: str) -> T:
    """Make a dataclass from a TOML table as `build` does.

    Raises
    ------
    SettingsError
        Anything is wrong; the message has every problem.
    """
    problems: list[str] = []
    made = build(cls, table, where, problems)
    if made is None or problems:
        raise SettingsError("; ".join(problems))
    return made


def _value(kind: Any, value: Any, where: str, problems: list[str]) -> Any:
    """Give the value as the field wants it; None, which TOML cannot write, where it is not so."""
    if isinstance(kind, UnionType):
        options = [option for option in get_args(kind) if option is not NoneType]
        # TOML writes a number without a fraction as a whole number
        given = float if type(value) is int and float in options else type(value)
        if len(options) > 1 and given not in options:
            words = " or ".join(map(_words, options))
            problems.append(f"{where} = {value!r}; allowed: {words}")
            return None
        kind = given if given in options else options[0]
    if get_origin(kind) is dict and isinstance(value, dict):
        element = get_args(kind)[1]
        table = {
            key: _value(element, one, f"{where}.{key}", problems) for key, one in value.items()
        }
        return None if any(one is None for one in table.values()) else table
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        return build(kind, value, where, problems)  # type: ignore[arg-type]
    if get_origin(kind) is tuple and isinstance(value, list):
        element = get_args(kind)[0]
        made = tuple(
            _value(element, one, f"{where}[{place}]", problems)
            for place, one in enumerate(value, start=1)
        )
        return None if any(one is None for one in made) else made
    # TOML writes a number without a fraction as a whole number; a boolean is no number
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is kind:
        return value
    problems.append(f"{where} = {value!r}; allowed: {_words(kind)}")
    return None


def _words(kind: Any) -> str:
    if get_origin(kind) is tuple:
        return "a list"
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(kind, "a table")
