"""From plain TOML values to typed structs, naming everything that is wrong and not just the first thing.

A validating decoder stops at the first mistake; a person with a file wants all of them. So the walk
goes down the types itself, reports each wrong value in place and carries on. A struct is made only
when everything in it was right; `built` remembers it by its path, so that later checks can work
with the sound parts of a file that is wrong elsewhere.
"""

from __future__ import annotations

import datetime
import functools
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as types

from .mistakes import Path, listed, quoted, suggestion

_S = TypeVar("_S", bound=msgspec.Struct)


class _Broken:
    """Stands for a value that was wrong and has been reported."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Final = _Broken()

Special = Callable[[dict[str, Any], Path], Any]


class Reader:
    """Reads values of any type msgspec knows. `report` is told of every mistake and where it is.

    `special` names struct types that are read by someone else, because their keys depend on other
    tables of the file.
    """

    def __init__(
        self,
        report: Callable[[Path, str], None],
        special: Mapping[type[msgspec.Struct], Special] | None = None,
    ) -> None:
        self.built: dict[Path, msgspec.Struct] = {}
        self._report = report
        self._special = dict(special or {})

    def struct(
        self,
        cls: type[_S],
        raw: Mapping[str, Any],
        path: Path,
        *,
        hidden: Iterable[str] = (),
        neighbours: Iterable[str] = (),
    ) -> _S | _Broken:
        """Read a table. `hidden` keys cannot be given; `neighbours` are keys someone else reads."""
        unseen = set(hidden)
        fields = {name: field for name, field in _fields(cls).items() if name not in unseen}
        values: dict[str, Any] = {}
        known = [*fields, *neighbours]
        sound = self._only_known(raw, known, path)
        for key, field in fields.items():
            if key in raw:
                values[field.name] = value = self.value(field.type, raw[key], (*path, key))
                sound = sound and value is not BROKEN
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self._report(path, f'"{key}" is missing')
                sound = False
        if not sound:
            return BROKEN
        try:
            made = cls(**values)
        except (ValueError, TypeError) as error:  # from a driver's own __post_init__
            self._report(path, str(error))
            return BROKEN
        self.built[path] = made
        return made

    def _only_known(self, raw: Mapping[str, Any], known: list[str], path: Path) -> bool:
        sound = True
        for key in raw:
            if key not in known:
                self._report((*path, key), f"unknown key{suggestion(key, known)}")
                sound = False
        return sound

    def value(self, kind: types.Type, raw: Any, path: Path) -> Any:
        """Read one value; BROKEN when it, or anything in it, was wrong."""
        match kind:
            case types.Metadata():
                return self.value(kind.type, raw, path)
            case types.UnionType():
                return self._union(kind, raw, path)
            case types.StructType() if isinstance(raw, dict):
                if special := self._special.get(kind.cls):
                    return special(raw, path)
                return self.struct(kind.cls, raw, path)
            case types.DictType() if isinstance(raw, dict):
                return self._mapping(kind, raw, path)
            case types.ListType() | types.VarTupleType() | types.SetType() if isinstance(raw, list):
                return self._array(kind, raw, path)
            case types.TupleType() if isinstance(raw, list) and len(raw) == len(kind.item_types):
                items = [
                    self.value(item, each, (*path, index))
                    for index, (item, each) in enumerate(zip(kind.item_types, raw, strict=True))
                ]
                return BROKEN if _any_broken(items) else tuple(items)
        return self._leaf(kind, raw, path)

    def _union(self, kind: types.UnionType, raw: Any, path: Path) -> Any:
        # TOML has no null, and no two members of a union take the same kind of TOML value.
        members = [member for member in kind.types if not isinstance(member, types.NoneType)]
        for member in members:
            if len(members) == 1 or _fits(member, raw):
                return self.value(member, raw, path)
        self._report(path, f"expected {listed(map(_named, members))}, got {_shown(raw)}")
        return BROKEN

    def _mapping(self, kind: types.DictType, raw: dict[str, Any], path: Path) -> Any:
        keys = [self.value(kind.key_type, key, (*path, key)) for key in raw]
        values = [self.value(kind.value_type, value, (*path, key)) for key, value in raw.items()]
        return BROKEN if _any_broken(keys + values) else dict(zip(keys, values, strict=True))

    def _array(
        self, kind: types.ListType | types.VarTupleType | types.SetType, raw: list[Any], path: Path
    ) -> Any:
        if kind.min_length is not None and len(raw) < kind.min_length:
            self._report(path, f"needs at least {kind.min_length} element{'s' * (kind.min_length > 1)}")
            return BROKEN
        if kind.max_length is not None and len(raw) > kind.max_length:
            self._report(path, f"takes at most {kind.max_length} element{'s' * (kind.max_length > 1)}")
            return BROKEN
        items = [self.value(kind.item_type, item, (*path, index)) for index, item in enumerate(raw)]
        if _any_broken(items):
            return BROKEN
        makers = {types.ListType: list, types.VarTupleType: tuple, types.SetType: set}
        return makers[type(kind)](items)

    def _leaf(self, kind: types.Type, raw: Any, path: Path) -> Any:
        match kind:
            case types.AnyType():
                return raw
            case types.LiteralType() | types.EnumType():
                return self._choice(kind, raw, path)
        if isinstance(kind, types.ListType) and isinstance(raw, dict) and _named(kind.item_type) == "a table":
            complaint = (
                "expected an array of tables, got one table: put it in double brackets, [[ ]] or [ { } ]"
            )
        elif not _fits(kind, raw) or isinstance(kind, types.TupleType):
            complaint = f"expected {_named(kind)}, got {_shown(raw)}"
        elif isinstance(kind, types.FloatType) and not _finite(raw):
            complaint = f"expected a finite number, got {_shown(raw)}"
        else:
            complaint = _out_of_limits(kind, raw)
        if complaint:
            self._report(path, complaint)
            return BROKEN
        return float(raw) if isinstance(kind, types.FloatType) else raw

    def _choice(self, kind: types.LiteralType | types.EnumType, raw: Any, path: Path) -> Any:
        choices = _choices(kind)
        for value, meant in choices.items():
            if value == raw and type(value) is type(raw):
                return meant
        hint = suggestion(raw, map(str, choices)) if isinstance(raw, str) else ""
        self._report(path, f"must be {_named(kind)}, got {_shown(raw)}{hint}")
        return BROKEN


@functools.cache
def _fields(cls: type[msgspec.Struct]) -> Mapping[str, types.Field]:
    """By the key of the file. Taking a class apart is slow, and a file has thousands of points."""
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)
    return {field.encode_name: field for field in info.fields}


def _choices(kind: types.LiteralType | types.EnumType) -> dict[Any, Any]:
    """What may be written, and what it is read as."""
    if isinstance(kind, types.EnumType):
        return {item.value: item for item in kind.cls}
    return {value: value for value in kind.values}


def _any_broken(values: Iterable[object]) -> bool:
    return any(value is BROKEN for value in values)


_NAMES: Mapping[type[types.Type], str] = {
    types.BoolType: "true or false",
    types.IntType: "a whole number",
    types.FloatType: "a number",
    types.StrType: "text",
    types.ListType: "an array",
    types.VarTupleType: "an array",
    types.SetType: "an array",
    types.StructType: "a table",
    types.DictType: "a table",
}


def _named(kind: types.Type) -> str:
    """What a value of this type is called in TOML, as far as a station file may hold it."""
    match kind:
        case types.Metadata():
            return _named(kind.type)
        case types.TupleType():
            return f"an array of {len(kind.item_types)} values"
        case types.LiteralType() | types.EnumType():
            return listed(map(_plain, _choices(kind)))
        case types.UnionType():
            return listed(_named(member) for member in kind.types)
    return _NAMES[type(kind)]


def _fits(kind: types.Type, raw: Any) -> bool:
    """Whether `raw` is the kind of TOML value this type is written as."""
    match kind:
        case types.Metadata():
            return _fits(kind.type, raw)
        case types.BoolType():
            return isinstance(raw, bool)
        case types.IntType():
            return isinstance(raw, int) and not isinstance(raw, bool)
        case types.FloatType():
            return isinstance(raw, int | float) and not isinstance(raw, bool)
        case types.StrType():
            return isinstance(raw, str)
        case types.LiteralType() | types.EnumType():
            return any(type(value) is type(raw) for value in _choices(kind))
        case types.ListType() | types.VarTupleType() | types.SetType() | types.TupleType():
            return isinstance(raw, list)
        case types.StructType() | types.DictType():
            return isinstance(raw, dict)
    raise TypeError(f"{kind} cannot be written in a station file")


def _finite(raw: float) -> bool:
    try:
        return math.isfinite(raw)
    except OverflowError:  # a whole number that no float can hold
        return False


def _plain(value: object) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _shown(raw: object) -> str:
    """The value as its author knows it."""
    match raw:
        case bool():
            return str(raw).lower()
        case str():
            return f"text {quoted(raw)}"
        case int():
            return str(raw) if abs(raw) < 10**20 else "a huge number"
        case float():
            return str(raw)
        case list():
            return f"an array of {len(raw)} values" if len(raw) != 1 else "an array of 1 value"
        case dict():
            return "a table"
        case datetime.datetime() | datetime.date() | datetime.time():
            return "a date or time"
    return "something else"


def _out_of_limits(kind: types.Type, raw: Any) -> str:
    """What limit the value breaks, "" when none."""
    match kind:
        case types.IntType() | types.FloatType():
            wrong = (
                (kind.gt is not None and raw <= kind.gt)
                or (kind.ge is not None and raw < kind.ge)
                or (kind.lt is not None and raw >= kind.lt)
                or (kind.le is not None and raw > kind.le)
            )
            return f"must be {_range(kind)}, got {_shown(raw)}" if wrong else ""
        case types.StrType():
            if kind.min_length is not None and len(raw) < kind.min_length:
                return (
                    "must not be empty"
                    if kind.min_length == 1
                    else f"needs at least {kind.min_length} characters"
                )
            if kind.max_length is not None and len(raw) > kind.max_length:
                return f"takes at most {kind.max_length} characters"
            if kind.pattern is not None and not re.search(kind.pattern, raw):
                return f"must match {kind.pattern}, got {_shown(raw)}"
    return ""


def _range(kind: types.IntType | types.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return (
            f"from {kind.ge:.10g} to {kind.le:.10g}"
            if isinstance(kind, types.FloatType)
            else f"from {kind.ge} to {kind.le}"
        )
    words = {"more than": kind.gt, "at least": kind.ge, "less than": kind.lt, "at most": kind.le}
    return " and ".join(
        f"{word} {limit:,}".replace(",", "") for word, limit in words.items() if limit is not None
    )
