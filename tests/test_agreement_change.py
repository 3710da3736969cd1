"""Agreement about change between visits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.agreement.change import agreement_of_change

ROW = ["participant", "session", "rater", "scale", "target", "kind", "value"]


def study(n: int, model_sees_change: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draw people of three visits; a bias of each rater and a level of each person are steady."""
    rng = np.random.default_rng(4)
    level = 3 * rng.normal(size=(n, 1))
    truth = np.cumsum(rng.normal(size=(n, 3)), axis=1)
    ratings = {
        rater: level + truth + bias + 0.5 * rng.normal(size=(n, 3))
        for rater, bias in (("ann", 0.0), ("bob", 2.0))
    }
    seen = truth if model_sees_change else rng.normal(size=(n, 3))
    said = level + seen + 0.5 * rng.normal(size=(n, 3))
    visits = [(f"P{who}", session) for who in range(n) for session in ("pre", "post", "later")]
    scored = [
        [*visit, rater, "panss", "N1", "item", value]
        for rater, values in ratings.items()
        for visit, value in zip(visits, values.ravel(), strict=True)
    ]
    predicted = pd.DataFrame(visits, columns=ROW[:2]).assign(
        scale="panss", target="N1", model="ridge", predicted=said.ravel()
    )
    return pd.DataFrame(scored, columns=ROW), predicted


def compare(scored: pd.DataFrame, predicted: pd.DataFrame) -> pd.DataFrame:
    return agreement_of_change(
        scored,
        predicted,
        scale_id="panss",
        targets=["N1"],
        tolerances={"N1": 1.0},
        order=("pre", "post", "later"),
        n_resamples=200,
        seed=1,
    ).set_index("statistic")


def test_what_is_steady_cancels() -> None:
    """A rater's bias and a person's level are in no change: ICC is 1 / (1 + 2 x 0.25)."""
    table = compare(*study(2000, model_sees_change=True))
    for name in ("rater-rater ICC(A,1)", "model-rater ICC(A,1)"):
        assert table.value[name] == pytest.approx(1 / 1.5, abs=0.03)
    assert set(table.n_subjects) == {4000}
    assert set(table.n_participants) == {2000}


def test_a_model_of_levels_alone_sees_no_change() -> None:
    """Its agreement about change is none, although it tells people apart."""
    table = compare(*study(300, model_sees_change=False))
    assert table.value["model-rater ICC(A,1)"] == pytest.approx(0, abs=0.1)
    assert table.ci_high["difference of ICC(A,1)"] < 0


def test_visits_are_in_the_order_that_is_given() -> None:
    """Pre to post and post to later, although "later" sorts first; one visit is no change."""
    scored, predicted = study(10, model_sees_change=True)
    one = scored.drop(scored[(scored.session != "pre") & (scored.participant == "P0")].index)
    table = compare(one, predicted)
    assert set(table.n_subjects) == {18}
    once = scored[scored.session == "pre"]
    assert compare(once, predicted).empty
