from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.sample import averaged, samples, tables
from tests.paired_scores import paired, with_baseline


def test_repeats_are_averaged() -> None:
    """The mean prediction of a recording over the repeats, scores as they are."""
    rows = paired(10)
    shift = np.random.default_rng(0).normal(size=len(rows))
    repeats = [
        rows.assign(repeat=number, predicted=rows["predicted"] + sign * shift)
        for number, sign in ((1, 1), (2, -1))
    ]
    found = averaged(pd.concat(repeats)).set_index("recording").loc[rows["recording"]]
    np.testing.assert_allclose(found["predicted"], rows["predicted"])
    np.testing.assert_allclose(found["observed"], rows["observed"])


def test_each_model_stands_beside_the_baseline_s_predictions() -> None:
    """A model that lacks a recording has the baseline of those that it has."""
    rows = with_baseline(paired(1))
    lacking = (rows["model"] == "ridge") & (rows["recording"] == "r004")
    (keys, table), *others = tables(rows[~lacking].sample(frac=1, random_state=0))
    assert keys == {"scale": "panss", "target": "N1"}
    assert not others
    found = dict(samples(table))
    ridge, mean = found["ridge"], found["mean"]
    assert (len(ridge.observed), len(mean.observed)) == (49, 50)
    assert mean.is_baseline
    np.testing.assert_array_equal(mean.baseline, mean.predicted)
    np.testing.assert_array_equal(ridge.baseline, mean.predicted[mean.recording != "r004"])
    assert ridge.n_participants == mean.n_participants == 40
    own = ridge.take(ridge.participant == "003")
    assert own.recording.tolist() == ["r003", "r043"]


def test_clusters_do_not_depend_on_the_names_of_people() -> None:
    """They are numbered as the recordings come, each person one number."""
    rows = paired(2)
    other = rows.assign(participant=[name[::-1] for name in rows["participant"]])
    first, second = (dict(samples(table))["ridge"] for table in (rows, other))
    np.testing.assert_array_equal(first.cluster, second.cluster)
    np.testing.assert_array_equal(first.cluster[40:], first.cluster[:10])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: rows.assign(predicted=np.nan), "not a finite number"),
        (lambda rows: rows.assign(observed=np.inf), "not a finite number"),
        (lambda rows: pd.concat([rows, rows]), "r000 has two predictions"),
        (lambda rows: pd.concat([rows, rows]).assign(repeat=1), "r000 has two predictions"),
        (
            lambda rows: pd.concat(
                [rows.assign(repeat=1), rows.assign(repeat=2, participant="other")]
            ),
            "r000 has two predictions",
        ),
        (lambda rows: rows.drop(columns="participant"), "lack the columns participant"),
    ],
)
def test_what_is_no_table_of_predictions_is_an_error(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    """A score that is no number, a recording twice or of two people, a missing column."""
    with pytest.raises(ClinicError, match=message):
        averaged(spoil(paired(11)))
