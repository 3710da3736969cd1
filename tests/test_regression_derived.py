from __future__ import annotations

import numpy as np
import pandas as pd

from emoclip_clinic.regression.derived import changes, summed
from emoclip_clinic.scale import Item, Scale, Subscale

ITEMS = ("A", "B", "C")
SCALE = Scale(
    id="small",
    abbreviation="SMALL",
    name="Three items",
    version="1",
    reference="",
    licence="",
    direction="higher is worse",
    items=(Item("A", "a", 0, 4), Item("B", "b", 1, 7, reverse=True), Item("C", "c", 0, 4)),
    subscales=(Subscale("ac", "mean of A and C", ("A", "C"), method="mean"),),
    total=Subscale("total", "Total", ITEMS),
)


def predictions(scores: dict[str, list[float]], model: str = "ridge") -> pd.DataFrame:
    """Give two recordings their predicted scores; observed is 1 throughout."""
    rows = [
        (f"p{place}", f"r{place}", target, model, 1.0, value, 0.1)
        for target, values in scores.items()
        for place, value in enumerate(values)
    ]
    names = ["participant", "recording", "target", "model", "observed", "predicted", "predicted_sd"]
    return pd.DataFrame(rows, columns=names)


def test_scores_are_made_of_predicted_items_as_the_scale_says() -> None:
    """Reversed items count as minimum + maximum less the item; a mean is a mean."""
    table = predictions({"A": [1, 2], "B": [3, 6.5], "C": [2, 4], "ac": [9, 9], "total": [9, 9]})
    made = summed(table, SCALE).set_index(["recording", "target"])
    assert set(made["model"]) == {"ridge:summed"}
    assert made.loc[("r0", "ac"), "predicted"] == 1.5
    assert made.loc[("r0", "total"), "predicted"] == 1 + (8 - 3) + 2
    assert made.loc[("r1", "total"), "predicted"] == 2 + (8 - 6.5) + 4
    assert (made["observed"] == 1).all()


def test_a_score_without_all_its_items_is_not_made() -> None:
    """A missing item is no zero: the recording, or the score, has no row."""
    table = predictions({"A": [1, 2], "C": [2, 4], "ac": [9, 9], "total": [9, 9]})
    assert set(summed(table, SCALE)["target"]) == {"ac"}
    only = table[(table["recording"] != "r0") | (table["target"] != "A")]
    assert summed(only, SCALE)["recording"].tolist() == ["r1"]
    assert summed(table[table["target"].isin(ITEMS)], SCALE).empty


def visits(sessions: list[str], participant: str, values: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant": participant,
            "session": sessions,
            "recording": [f"sub-{participant}_ses-{name}" for name in sessions],
            "scale": "small",
            "target": "total",
            "model": "ridge",
            "observed": values,
            "predicted": np.array(values) / 2,
        }
    )


def test_change_is_from_each_visit_to_the_next() -> None:
    """Later less earlier, of observed and predicted alike; one visit gives none."""
    table = pd.concat(
        [visits(["02", "01", "03"], "a", [5, 2, 4]), visits(["01"], "b", [3])], ignore_index=True
    )
    made = changes(table).set_index("session")
    assert made["observed"].to_dict() == {"01>02": 3, "02>03": -1}
    assert made["predicted"].to_dict() == {"01>02": 1.5, "02>03": -0.5}
    assert made.loc["01>02", "recording"] == "sub-a_ses-01>02"
    assert changes(visits(["01"], "b", [3])).empty


def test_the_order_of_visits_can_be_given() -> None:
    """Names such as pre and post do not sort by time; sessions that are not named are left out."""
    table = visits(["post", "pre", "screening"], "a", [5, 2, 9])
    made = changes(table, order=["pre", "post"])
    assert made["observed"].tolist() == [3]
    assert made["session"].tolist() == ["pre>post"]


def test_recordings_of_one_visit_are_averaged() -> None:
    """Two clips of a visit are one visit."""
    table = pd.concat([visits(["01", "01"], "a", [1, 3]), visits(["02"], "a", [5])])
    assert changes(table)["observed"].tolist() == [3]
