"""`predict` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from emoclip_clinic import features
from emoclip_clinic.regression import Design, Features, fit_model, save
from emoclip_clinic.regression.inputs import Inputs
from tests.command_line import Type
from tests.small_study import PEOPLE


@pytest.fixture
def fitted(cli: Type, study: Path) -> Path:
    """Fit the small study; give its model."""
    assert cli("fit", "--scale", "cains", "--study", study).code == 0
    return study / "models" / "cains"


def test_drivers_are_written_beside_the_scores(cli: Type, study: Path, fitted: Path) -> None:
    """A row a window and score; what they add up to differs from the score by the target's mean."""
    answer = cli(
        *("predict", study / "interviews", "--model", fitted, "--study", study),
        *("--output", "scores.csv", "--drivers", "drivers.csv", "--json"),
    )
    assert answer.code == 0, answer.err
    keys = ["recording", "target"]
    scores = pd.read_csv("scores.csv", dtype={"target": str}).set_index(keys)
    moved = pd.read_csv("drivers.csv", dtype={"target": str})
    sums = moved.groupby(keys)["contribution"].sum()
    free = scores["predicted"].between(0, 4, inclusive="neither")
    mean = (scores["predicted"] - sums)[free].groupby("target")
    assert len(sums) == len(scores)
    assert mean.std().max() < 1e-9
    assert mean.mean().between(0, 4).any()
    # the nearest sentence of each window, the same for every score
    assert moved["similarity"].between(-1, 1).all()
    assert (moved.groupby(["recording", "window"])["description"].nunique() == 1).all()
    assert any("exploratory" in note for note in answer.json["notes"])


def with_covariates(study: Path, model: Path) -> None:
    """Put a model in its place that needs the age."""
    ids = [f"sub-{name}_ses-01" for name in PEOPLE]
    table = features.read_folder(study / "features" / "emoclip-demo", ids)
    names, people = table.segments["recording"], pd.Series(PEOPLE, ids)
    age = pd.DataFrame({"age": range(20, 20 + len(people))}, people.index, dtype=float)
    fitted = fit_model(
        Inputs.of_windows(table.vectors, names.to_numpy(), age),
        pd.DataFrame({"total": age["age"] - 20}),
        people,
        "ridge+covariates",
        scale="cains",
        features=Features(table.encoder, table.fingerprint, "mean_sd"),
        ranges={"total": (0, 52)},
        design=Design(n_folds=4, n_repeats=1, n_inner_folds=3),
    )
    save(fitted, model)


def test_covariates_are_those_of_participants_csv(cli: Type, study: Path, fitted: Path) -> None:
    """An absent column is named; with it, and with a gap in it, scores are given."""
    with_covariates(study, fitted)
    words = ("predict", study / "interviews", "--model", fitted, "--study", study)
    answer = cli(*words)
    assert answer.code == 1
    assert "not given: age" in answer.err
    rows = [(name, 30) for name in PEOPLE[1:]]
    pd.DataFrame(rows, columns=["participant", "age"]).to_csv(
        study / "participants.csv", index=False
    )
    assert cli(*words, "--drivers", "drivers.csv").code == 0
    scores = pd.read_csv("predictions.csv")
    noted = scores["note"].str.contains("covariates not known: age")
    assert set(scores.loc[noted, "participant"]) == {PEOPLE[0]}
    assert scores["predicted"].between(0, 52).all()
    assert set(pd.read_csv("drivers.csv")["method"]) == {"leave-one-window-out"}
