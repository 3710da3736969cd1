"""Small scales for tests of ratings; none is the file that the package ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emoclip_clinic.scale import Item, Scale, Subscale

__all__ = ["BPRS", "HAMD17", "HAMD28", "PHQ9", "TwoWays", "make_scale"]


@dataclass(frozen=True)
class TwoWays(Item):
    """An item that forms rate in one of several ways."""

    alternatives: tuple[str, ...] = ()


def make_scale(
    scale_id: str,
    items: Sequence[Item],
    abbreviation: str = "",
    name: str = "",
    total: bool = False,
    subscales: Sequence[Subscale] = (),
) -> Scale:
    """Make a scale of which nothing but items and scores matters."""
    codes = tuple(item.code for item in items)
    return Scale(
        id=scale_id,
        abbreviation=abbreviation or scale_id.upper(),
        name=name,
        version="",
        reference="",
        licence="",
        direction="higher is worse",
        items=tuple(items),
        subscales=tuple(subscales),
        total=Subscale("total", "Total", codes) if total else None,
    )


# the ranges that the dictionary of ds000030 gives
HAMD_MAXIMA = {
    **dict.fromkeys((1, 2, 3, 7, 8, 9, 10, 11, 15, 19, 22, 23, 28), 4),
    **dict.fromkeys((20, 24, 25, 26), 3),
}


def _hamd(n_items: int) -> Scale:
    items = [
        TwoWays("16", "Loss of weight", 0, 2, alternatives=("16a", "16b"))
        if n == 16
        else TwoWays("18", "Diurnal variation", 0, 2, alternatives=("18a", "18b"))
        if n == 18
        else Item(str(n), "", 0, HAMD_MAXIMA.get(n, 2))
        for n in range(1, n_items + 1)
    ]
    return make_scale(
        f"hamd_{n_items}", items, "HAM-D", "Hamilton Rating Scale for Depression", total=True
    )


HAMD17, HAMD28 = _hamd(17), _hamd(28)
BPRS = make_scale(
    "bprs_24",
    [Item(str(n), "", 1, 7) for n in range(1, 25)],
    "BPRS",
    "Brief Psychiatric Rating Scale",
    total=True,
    subscales=[
        Subscale(name, name, tuple(map(str, items)), "mean")
        for name, items in {
            "positive": (9, 10, 11, 12, 14),
            "negative": (13, 16, 17, 18),
            "mania": (6, 7, 8, 21, 22, 23),
            "depanx": (2, 3, 4, 5),
        }.items()
    ],
)
PHQ9 = make_scale("phq_9", [Item(str(n), "", 0, 3) for n in range(1, 10)], "PHQ-9", total=True)
