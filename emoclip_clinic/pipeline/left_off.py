"""Options of the last run that this one was not given: they hold for one run only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emoclip_clinic.study import Stamp

__all__ = ["left_off"]


def left_off(
    last: Mapping[str, Any] | None, now: Stamp, given: Mapping[str, Sequence[Any]]
) -> list[str]:
    """Say in a note what `encode` took for the participant the last time, and not now.

    Parameters
    ----------
    last
        Provenance of the last run.
    now
        What this run takes.
    given
        The options of this run on "turns" and on the "participant", None where one is not given:
        what was asked for now is meant, and not spoken of.
    """
    was, used = (_used(settings) for settings in ((last or {}).get("settings", {}), now.settings))
    lost = {
        key: value
        for key, (about, value) in was.items()
        if value and value != used[key][1] and all(option is None for option in given[about])
    }
    if not lost:
        return []
    whole = "turns" in lost and not used["turns"][1]
    taken = "whole recordings" if whole else f"with {_written({key: used[key][1] for key in lost})}"
    return [
        f"encoded {taken}; the last run took {_written(lost)}. Options hold for one run: to "
        "keep to those of the last one, write them under [encode] in study.toml."
    ]


def _used(settings: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """Give the value of each key of study.toml, and what it is about."""
    turns = settings.get("turns") or {}
    return {
        "turns": ("turns", turns.get("pattern", "")),
        "speaker": ("turns", turns.get("speaker", [])),
        "sections": ("turns", turns.get("sections", [])),
        "participant": ("participant", settings.get("participant", "")),
    }


def _written(values: Mapping[str, Any]) -> str:
    # TOML writes strings, and lists of them, as JSON does
    return ", ".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()
    )
