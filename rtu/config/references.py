"""Points that other parts of the file name: they exist, and can be in the state that is asked of them."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from .draft import Draft
from .mistakes import listed, quoted, suggestion
from .schema import Point

WORDS: Mapping[str, tuple[str, ...]] = {"single": ("on", "off"), "double": ("open", "closed", "on", "off")}
"""The states of a point by its type, in the words of the file."""


def point_named(
    draft: Draft, about: msgspec.Struct, name: str, points: Mapping[str, Point], *key: str | int
) -> Point | None:
    """The point of that name, if it is sound; one that was not written is a mistake at `key` of `about`."""
    written = draft.names("point")
    if name not in written:
        draft.mistake(about, f"{key[0]}: no point {quoted(name)}{suggestion(name, written)}", *key)
    return points.get(name)


def check_states(
    draft: Draft, about: msgspec.Struct, wanted: Mapping[str, str], points: Mapping[str, Point], key: str
) -> None:
    """Points that can be on or off, and words that mean it."""
    for name, word in wanted.items():
        point = point_named(draft, about, name, points, key, name)
        if point is None:
            continue
        if point.type not in WORDS:
            text = f"{key} takes single and double points, {quoted(name)} is {point.type}"
            draft.mistake(about, text, key, name)
        elif word not in WORDS[point.type]:
            text = f'{quoted(name)} is a {point.type} point: {key} {listed(map(quoted, WORDS[point.type]))}, not "{word}"'
            draft.mistake(about, text, key, name)
