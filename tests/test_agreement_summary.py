"""The long table: who is compared with whom, on which subjects, in which direction, how."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoclip_clinic.agreement import agree, bland_altman, ccc, icc, mae, pearson
from emoclip_clinic.agreement.summary import COLUMNS, STATISTICS
from emoclip_clinic.errors import RatingsError

RATERS = ["R1", "R2", "R3"]


def cohort(n: int = 24, sessions: int = 1, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of three raters and predictions of one target "N1"."""
    rng = np.random.default_rng(seed)
    keys = [(f"{p:03}", f"{s:02}") for p in range(n) for s in range(1, sessions + 1)]
    subjects = pd.DataFrame(keys, columns=["participant", "session"])
    subjects = subjects.assign(scale="panss", target="N1")
    truth = rng.normal(size=len(subjects))
    scored = [
        subjects.assign(
            rater=r, kind="item", value=np.rint(4 + truth + rng.normal(size=len(truth)))
        )
        for r in RATERS
    ]
    predicted = 4 + 0.6 * truth + 0.4 * rng.normal(size=len(truth))
    models = [
        subjects.assign(model="ridge", predicted=predicted),
        subjects.assign(model="mean", predicted=4.0),
    ]
    return pd.concat(scored, ignore_index=True), pd.concat(models, ignore_index=True)


def table(scored: pd.DataFrame, predictions: pd.DataFrame | None, **changes) -> pd.DataFrame:
    given = {"scale_id": "panss", "targets": ["N1"], "n_resamples": 300, "seed": 1}
    return agree(scored, predictions, **{**given, **changes})


def pick(found: pd.DataFrame, comparison: str, a: str, b: str) -> pd.DataFrame:
    rows = found[(found.comparison == comparison) & (found.rater_a == a) & (found.rater_b == b)]
    return rows.set_index("statistic")


def scores_of(scored: pd.DataFrame, rater: str) -> np.ndarray:
    return scored.loc[scored.rater == rater, "value"].to_numpy()


def test_table_has_every_comparison_and_statistic() -> None:
    """Three raters give 1 + 3 + 3 + 1 + 3 + 3 comparisons; all raters together have ICCs only."""
    found = table(*cohort())
    assert list(found.columns) == COLUMNS
    assert set(found.scale + found.target + found.kind) == {"panssN1item"}
    sizes = found.groupby(["comparison", "rater_a", "rater_b"]).statistic.apply(list).to_dict()
    assert sizes.pop(("rater-rater", "all", "")) == STATISTICS[:2]
    assert set(map(tuple, sizes.values())) == {tuple(STATISTICS)}
    expected = [("rater-rater", a, b) for a, b in (("R1", "R2"), ("R1", "R3"), ("R2", "R3"))]
    expected += [("model-rater", "model", rater) for rater in RATERS]
    expected += [("model-consensus", "model", "consensus")]
    expected += [("rater-consensus", rater, "consensus") for rater in RATERS]
    expected += [("model-loo-consensus", "model", rater) for rater in RATERS]
    assert set(sizes) == set(expected)


def test_one_session_each_gives_the_rows_of_the_functions() -> None:
    """Without repeated participants, values, intervals and methods are icc's, ccc's and so on."""
    scored, predictions = cohort()
    found = pick(table(scored, predictions), "model-rater", "model", "R2")
    x = predictions.loc[predictions.model == "ridge", "predicted"].to_numpy()
    y = scores_of(scored, "R2")
    frame = pd.DataFrame({"subject": [*range(24)] * 2, "value": [*x, *y]})
    frame["rater"] = ["x"] * 24 + ["y"] * 24
    parts = [icc(frame), ccc(x, y), pearson(x, y), bland_altman(x, y), mae(x, y)]
    known = pd.concat(parts).set_index("name").loc[STATISTICS]
    numbers = ["value", "ci_low", "ci_high"]
    assert found[numbers].to_numpy() == pytest.approx(known[numbers].to_numpy())
    assert list(found.method) == list(known.method)
    assert set(found.n_subjects) == set(found.n_participants) == {24}


def test_all_raters_together_have_the_icc_of_the_complete_table() -> None:
    """Subjects that a rater missed are excluded and counted."""
    scored, predictions = cohort()
    missing = scored.drop(index=scored.index[[0, 30]])
    found = pick(table(missing, predictions), "rater-rater", "all", "")
    whole = missing.groupby("participant").rater.transform("count") == 3
    known = icc(missing[whole].rename(columns={"participant": "subject"})).set_index("name")
    assert list(found.value) == pytest.approx(list(known.value[STATISTICS[:2]]))
    assert set(found.n_subjects) == {22}
    assert set(found.n_excluded) == {2}
    assert set(found.n_raters) == {3}


def test_differences_have_the_stated_direction() -> None:
    """rater_b minus rater_a, model minus rater, model minus consensus; the note says it."""
    scored, _ = cohort()
    base = scores_of(scored, "R1")
    shift = scored.rater.map({"R1": 0, "R2": 1, "R3": 5})
    scored["value"] = np.tile(base, 3) + shift
    subjects = scored.loc[scored.rater == "R1", ["participant", "session", "scale", "target"]]
    found = table(scored, subjects.assign(model="ridge", predicted=base + 10.0))
    bias = found[found.statistic == "bias"].set_index(["comparison", "rater_a", "rater_b"])
    expected = {
        ("rater-rater", "R1", "R2"): (1, "R2 minus R1"),
        ("rater-rater", "R2", "R3"): (4, "R3 minus R2"),
        ("model-rater", "model", "R2"): (9, "model minus R2"),
        ("model-consensus", "model", "consensus"): (8, "model minus consensus"),
        ("rater-consensus", "R1", "consensus"): (-3, "R1 minus consensus of the others"),
        ("model-loo-consensus", "model", "R3"): (9.5, "model minus consensus without R3"),
    }
    for key, (value, words) in expected.items():
        assert bias.value[key] == pytest.approx(value)
        assert words in bias.note[key]


def test_pearson_is_of_what_the_model_says_beyond_its_mean() -> None:
    """The baseline is taken off; what rounding leaves of a model that is its mean is nothing.

    Where a baseline is missing it is taken off nowhere.
    """
    scored, predictions = cohort()
    consensus = scored.groupby("participant").value.mean().to_numpy()
    ours = (predictions.model == "ridge").to_numpy()
    baseline = 4 - 0.1 * consensus
    predictions.loc[~ours, "predicted"] = baseline
    predicted = predictions.loc[ours, "predicted"].to_numpy()
    value = pick(table(scored, predictions), "model-consensus", "model", "consensus").value
    known = pearson(predicted - baseline, consensus).value[0]
    assert value["Pearson"] == pytest.approx(known)
    assert value["CCC"] == pytest.approx(ccc(predicted, consensus).value[0])

    value = pick(table(scored, predictions[:-1]), "model-consensus", "model", "consensus").value
    assert value["Pearson"] == pytest.approx(pearson(predicted, consensus).value[0])

    predictions.loc[ours, "predicted"] = baseline + 1e-13 * consensus
    for sessions in (predictions, predictions[:-1].query("participant != '023'")):
        rows = pick(table(scored, sessions), "model-consensus", "model", "consensus")
        assert np.isnan(rows.value["Pearson"])
        assert rows.note["Pearson"] == "undefined: the model says nothing beyond the mean"


def test_rater_and_model_meet_the_same_others_on_the_same_subjects() -> None:
    """Each rater and the model are compared with the mean of the other raters, like for like."""
    scored, predictions = cohort()
    # R2 misses subject 0, R3 misses 1, and 2 was not filmed
    gone = ((scored.rater == "R2") & (scored.participant == "000")) | (
        (scored.rater == "R3") & (scored.participant == "001")
    )
    scored, predictions = scored[~gone], predictions[predictions.participant != "002"]
    found = table(scored, predictions)
    wide = scored.pivot(index="participant", columns="rater", values="value")
    ridge = predictions[predictions.model == "ridge"].set_index("participant").predicted
    both = wide[["R1", "R3"]].mean(axis=1).drop(["000", "002"])
    rater, model = wide.R2.drop(["000", "002"]), ridge.drop("000")
    for name, a, b, scores in (
        ("rater-consensus", "R2", "consensus", rater),
        ("model-loo-consensus", "model", "R2", model),
    ):
        rows = pick(found, name, a, b)
        assert rows.value["CCC"] == pytest.approx(ccc(scores, both).value[0])
        assert rows.value["MAE"] == pytest.approx((scores - both).abs().mean())
        assert set(rows.n_subjects) == {22}
        assert set(rows.n_excluded) == {2}


def test_consensus_is_the_mean_of_the_raters_who_scored() -> None:
    """A subject with one rater missing still has a consensus of the two others."""
    scored, predictions = cohort()
    found = table(scored.drop(index=0), predictions)
    consensus = scored.drop(index=0).groupby("participant").value.mean()
    ridge = predictions[predictions.model == "ridge"].predicted
    rows = pick(found, "model-consensus", "model", "consensus")
    known = bland_altman(ridge, consensus).set_index("name").value
    assert rows.value["bias"] == pytest.approx(known["bias"])
    assert rows.value["LoA upper"] == pytest.approx(known["LoA upper"])
    assert set(rows.n_subjects) == {24}


def test_repeated_participants_are_resampled_whole() -> None:
    """Second sessions that copy the first leave the intervals as wide as those of one session."""
    scored, predictions = cohort(n=40)
    copies = [frame.assign(session="02") for frame in (scored, predictions)]
    once = table(scored, predictions, n_resamples=2000)
    twice = table(pd.concat([scored, copies[0]]), pd.concat([predictions, copies[1]]))
    assert twice.method.str.contains("participant-cluster bootstrap").all()
    assert not once.method.str.contains("bootstrap").any()
    assert set(twice.n_participants) == {40}
    assert set(twice.n_subjects) == {80}
    for frame in (once, twice):
        frame["width"] = frame.ci_high - frame.ci_low
    ratio = (twice.width / once.width)[once.statistic.isin(["bias", "MAE", "Pearson", "CCC"])]
    assert ratio.median() == pytest.approx(1, abs=0.12)


def test_order_of_rows_does_not_matter_and_the_seed_does() -> None:
    """Shuffled tables give the same bytes; another seed moves bootstrap intervals only."""
    scored, predictions = cohort(sessions=2)
    first = table(scored, predictions)
    shuffled = table(
        scored.sample(frac=1, random_state=1), predictions.sample(frac=1, random_state=2)
    )
    pd.testing.assert_frame_equal(first, shuffled, check_exact=True)
    other = table(scored, predictions, seed=2)
    pd.testing.assert_series_equal(first.value, other.value)
    assert not np.allclose(first.ci_low, other.ci_low)


def test_one_rater_still_meets_the_model() -> None:
    """One rater leaves the model's rows, and the raters' own undefined with the reason."""
    scored, predictions = cohort()
    found = table(scored[scored.rater == "R1"], predictions)
    assert set(found.comparison) == {"rater-rater", "model-rater", "model-consensus"}
    assert pick(found, "model-rater", "model", "R1").value.notna().all()
    together = pick(found, "rater-rater", "all", "")
    assert together.value.isna().all()
    assert set(together.note) == {"undefined: needs 2 raters, has 1"}


def test_raters_with_nothing_in_common_are_undefined_with_a_reason() -> None:
    """Two raters who shared no subject have a row a statistic, empty, and all subjects excluded."""
    scored, predictions = cohort()
    early = scored.participant < "012"
    apart = scored[((scored.rater == "R1") & early) | ((scored.rater == "R2") & ~early)]
    rows = pick(table(apart, predictions), "rater-rater", "R1", "R2")
    assert rows.value.isna().all()
    assert rows.note.str.contains("undefined: needs").all()
    assert set(rows.n_excluded) == {24}


@pytest.mark.parametrize("target", ["N1", "N2"])
def test_a_target_without_predictions_or_scores_is_a_row_with_a_reason(target: str) -> None:
    """Nothing is skipped silently: the rows are there, undefined."""
    scored, predictions = cohort()
    found = table(scored, predictions[:0], targets=[target])
    model = found[found.comparison.str.startswith("model")]
    assert len(model) == 7 * 8
    assert model.value.isna().all()
    assert model.note.str.contains("undefined").all()


def test_constant_scores_are_undefined_and_never_perfect() -> None:
    """Raters who all gave the same value to everyone do not agree by 1.0."""
    scored, predictions = cohort(sessions=2)
    rows = pick(table(scored.assign(value=1.0), predictions), "rater-rater", "R1", "R2")
    relative = rows.loc[["ICC(A,1)", "ICC(C,1)", "CCC", "Pearson"]]
    assert relative.value.isna().all()
    assert relative.note.str.contains("undefined").all()


def test_without_predictions_the_raters_are_compared() -> None:
    """None instead of predictions leaves the raters' own rows."""
    scored, _ = cohort()
    assert set(table(scored, None).comparison) == {"rater-rater", "rater-consensus"}


def test_another_scale_in_the_tables_is_left_alone() -> None:
    """A target of the same name in another scale does not enter."""
    scored, predictions = cohort()
    both = [pd.concat([frame, frame.assign(scale="cains")]) for frame in (scored, predictions)]
    pd.testing.assert_frame_equal(table(*both), table(scored, predictions))


def test_a_score_given_twice_is_an_error() -> None:
    """Duplicates are not averaged: the error names rater, target, participant and session."""
    scored, predictions = cohort()
    with pytest.raises(RatingsError, match="rater R1 scored N1 of participant 000, session 01"):
        table(pd.concat([scored, scored[:1]]), predictions)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_any_small_study_gives_values_or_reasons(seed: int) -> None:
    """Few people, few distinct values, missing scores: no crash, no warning, no silent gap."""
    rng = np.random.default_rng(seed)
    scored, predictions = cohort(n=rng.integers(1, 7), sessions=rng.integers(1, 3), seed=seed)
    scored["value"] = rng.integers(1, rng.integers(2, 5), size=len(scored))
    scored = scored[rng.random(len(scored)) < rng.choice([0.3, 0.7, 1])]
    predictions = predictions[rng.random(len(predictions)) < rng.choice([0.3, 1])]
    found = table(scored, predictions, n_resamples=50)
    undefined = found.value.isna()
    assert found.note[undefined].str.contains("undefined").all()
    open_ended = found.ci_low.isna() | found.ci_high.isna()
    says_why = found.note.str.contains("no interval|no lower end|no upper end")
    assert says_why[open_ended & ~undefined].all()
    assert (found.n_subjects >= found.n_participants).all()
