from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.regression import (
    Design,
    FittedModel,
    cross_validate,
    fit_model,
    load,
    measured_coverage,
    performance,
    save,
)
from emoclip_clinic.regression.archive import FILES
from emoclip_clinic.regression.card import CARD, LIMITS, NOT_FOR, card, card_facts
from emoclip_clinic.regression.fitted import Features

PEOPLE = [f"Kowalska-{number:02d}" for number in range(24)]
RANGES = {"a": (-9.0, 9.0), "n|oise": (-9.0, 9.0)}
Evidence = tuple[FittedModel, pd.DataFrame, pd.DataFrame]


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    """Fit a model, with its performance and its coverage."""
    generator = np.random.default_rng(0)
    index = pd.Index([f"sub-{name}_ses-01" for name in PEOPLE], name="recording")
    x = pd.DataFrame(generator.normal(size=(24, 4)), index)
    y = pd.DataFrame({"a": x[0] + 0.3 * generator.normal(size=24)}, index)
    y["n|oise"] = generator.normal(size=24)
    who = pd.Series(PEOPLE, index)
    design = Design(n_folds=6, n_repeats=2, n_inner_folds=3, seed=3)
    found = cross_validate(x, y, who, design)
    skill = performance(found.predictions.assign(scale="toy"), dict.fromkeys(y, "item"))
    own = found.by_repeat[found.by_repeat["model"] == "ridge"]
    people = pd.DataFrame({"sex": ["f", "m"] * 12, "site": ["A"] * 21 + ["B"] * 3}, PEOPLE)
    model = fit_model(
        x,
        y,
        who,
        scale="toy",
        features=Features("emoclip-demo", "ab" * 32, "mean_sd"),
        ranges=RANGES,
        design=design,
        splits=found.splits,
        people=people,
    )
    return model, skill, measured_coverage(own, RANGES)


def test_the_card_says_what_a_reader_needs(evidence: Evidence) -> None:
    """Use and non-use, encoder, recipe, training, validation, performance, coverage, limits."""
    model, skill, coverage = evidence
    text = card(model, skill, coverage, "TOY, version 2", "cd" * 32)
    for part in (
        *("# Model card: TOY, version 2", "not a diagnostic device", "ab" * 32, "cd" * 32),
        *("24 recordings of 24 participants; sex: f 12, m 12.", "6 folds of participants"),
        *("| ridge |", "emoclip-demo", "alpha", "scikit-learn", "Seed 3", *NOT_FOR, *LIMITS),
    ):
        assert part in text
    row = skill.query("model == 'ridge' and target == 'a' and metric == 'mae'").iloc[0]
    shown = f"{row['value']:.3g} ({row['ci_low']:.3g} to {row['ci_high']:.3g})"
    assert f"| a | {shown} |" in text
    wide = coverage.iloc[0]
    assert f"| {wide['mean_width']:.3g} |" in text
    assert "may keep feature vectors" not in text


def test_no_small_group_and_nobody_is_named(evidence: Evidence, tmp_path: Path) -> None:
    """No id, nor part of one, is in any byte that is written; nor the site of three people."""
    model, skill, coverage = evidence
    digest = save(model, tmp_path, card_facts(model, skill, coverage, "TOY"))
    (tmp_path / CARD).write_text(card(model, skill, coverage, "TOY", digest))
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, CARD}
    for path in tmp_path.iterdir():
        content = path.read_bytes().lower()
        assert b"kowalska" not in content
        assert b"sub-" not in content
        assert b"ses-01" not in content
    assert "site" not in model.groups


def test_every_table_is_whole(evidence: Evidence) -> None:
    """Each row has the columns of its header, whatever a target is called."""
    table: list[str] = []
    for line in card(*evidence, "TOY", "cd" * 32).splitlines():
        table = [*table, line] if line.startswith("|") else []
        assert len({row.count("|") for row in table}) <= 1


def test_the_card_is_part_of_the_json(evidence: Evidence, tmp_path: Path) -> None:
    """At full precision, a missing number as null; it does not change the model that is read."""
    model, skill, coverage = evidence
    blank = skill.assign(ci_low=np.nan)
    digest = save(model, tmp_path, card_facts(model, blank, coverage, "TOY, version 2"))
    facts = json.loads((tmp_path / FILES[1]).read_text(encoding="utf-8"))
    assert facts["sha256"] == digest
    assert facts["card"]["scale"] == "TOY, version 2"
    rows = pd.DataFrame(facts["card"]["performance"])
    own = skill[skill["model"] == "ridge"]
    assert rows["value"].tolist() == pytest.approx(own["value"].tolist(), abs=0, nan_ok=True)
    assert rows["ci_low"].isna().all()
    assert load(tmp_path).facts() == model.facts()


@pytest.mark.parametrize(("kind", "words"), [("lopo", "one participant out"), ("loso", "one site")])
def test_the_design_is_said(kind: str, words: str, evidence: Evidence) -> None:
    """As it was."""
    model, skill, coverage = evidence
    changed = replace(model, design=Design(kind=kind))  # type: ignore[arg-type]
    assert words in card(changed, skill, coverage, "TOY", "")


def test_an_opaque_estimator_is_pointed_out(evidence: Evidence) -> None:
    """Neighbours and kernels keep what they were fitted to."""
    model, skill, coverage = evidence
    (regression,) = model.regressions
    inner = regression.model.model_
    regression.model.model_ = object()
    try:
        assert "may keep feature vectors" in card(model, skill, coverage, "TOY", "")
    finally:
        regression.model.model_ = inner
