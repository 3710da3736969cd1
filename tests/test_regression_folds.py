from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emoclip_clinic.errors import SettingsError, StudyError, TooFewError
from emoclip_clinic.regression.folds import Design, check, grouped_folds, splits, train_test

IDS = [f"{number:03d}" for number in range(23)]


@given(
    n_participants=st.integers(5, 60),
    n_folds=st.integers(2, 12),
    n_repeats=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)
def test_every_participant_is_in_one_fold_a_repeat(
    n_participants: int, n_folds: int, n_repeats: int, seed: int
) -> None:
    """Folds are of whole participants, all used, and differ by one participant at most."""
    design = Design(n_folds=min(n_folds, n_participants), n_repeats=n_repeats, seed=seed)
    ids = [f"p{number}" for number in range(n_participants)]
    manifest = splits(ids * 2, design)
    for _, rows in manifest.groupby("repeat"):
        assert sorted(rows["participant"]) == sorted(ids)
        sizes = rows["fold"].value_counts()
        assert set(sizes.index) == set(range(1, design.n_folds + 1))
        assert sizes.max() - sizes.min() <= 1
    assert manifest["repeat"].nunique() == n_repeats


def test_the_manifest_depends_on_ids_and_seed_alone() -> None:
    """Order and repetition of ids change nothing; the seed and the repeat change the folds."""
    manifest = splits(IDS, Design(seed=3))
    pd.testing.assert_frame_equal(manifest, splits([*IDS[::-1], *IDS[:4]], Design(seed=3)))
    assert not manifest.equals(splits(IDS, Design(seed=4)))
    folds = manifest.pivot(index="participant", columns="repeat", values="fold")
    assert not folds.T.duplicated().any()


def test_more_repeats_keep_the_first_ones() -> None:
    """Five repeats begin with the same three."""
    three, five = (splits(IDS, Design(n_repeats=n)) for n in (3, 5))
    pd.testing.assert_frame_equal(three, five[five["repeat"] <= 3])


def test_lopo_leaves_out_one_participant_at_a_time() -> None:
    """As many folds as participants, once."""
    manifest = splits([*IDS, *IDS[:5]], Design(kind="lopo"))
    assert manifest["participant"].tolist() == IDS
    assert manifest["fold"].tolist() == list(range(1, 24))
    assert set(manifest["repeat"]) == {1}


def test_fewer_participants_than_folds_is_an_error_that_says_what_is_allowed() -> None:
    """The way out (fewer folds, lopo) is in the message; below five there is none."""
    with pytest.raises(TooFewError, match=r"8 participants.*10 folds; allowed: 2 to 8.*--cv lopo"):
        splits(IDS[:8], Design())
    with pytest.raises(TooFewError, match=r"4 participants.*at least 5"):
        splits(IDS[:4], Design(n_folds=2))
    with pytest.raises(TooFewError, match="at least 5"):
        splits(IDS[:4], Design(kind="lopo"))


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "random"}, {"n_folds": 1}, {"n_repeats": 0}, {"n_inner_folds": 1}, {"seed": -1}],
)
def test_a_design_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    """Among them any kind of split that is not by participant."""
    with pytest.raises(SettingsError, match="allowed"):
        Design(**wrong)  # type: ignore[arg-type]


@given(groups=st.lists(st.integers(0, 9), min_size=2, max_size=40), n_folds=st.integers(2, 6))
def test_inner_folds_never_split_a_group(groups: list[int], n_folds: int) -> None:
    """Training and test groups are disjoint, and every row is tested once."""
    names = np.array([f"g{group}" for group in groups])
    if len(set(groups)) < 2:
        return
    tested = []
    for train, test in grouped_folds(names, n_folds, 0):
        assert not set(names[train]) & set(names[test])
        tested += test.tolist()
    assert sorted(tested) == list(range(len(groups)))


def test_a_manifest_that_splits_or_forgets_a_participant_is_refused() -> None:
    """A manifest given back is checked; one with further participants is fine."""
    manifest = splits(IDS, Design(n_folds=5, n_repeats=2))
    check(manifest, IDS[:20])
    with pytest.raises(StudyError, match="repeat 1: participants in no fold: new"):
        check(manifest, [*IDS, "new"])
    twice = pd.concat([manifest, pd.DataFrame([("004", 2, 5)], columns=manifest.columns)])
    with pytest.raises(StudyError, match="repeat 2: participants in more than one fold: 004"):
        check(twice, IDS)
    with pytest.raises(StudyError, match="one fold"):
        check(manifest.assign(fold=1), IDS)


def test_leave_one_site_out_has_a_fold_a_site() -> None:
    """Everyone of a site is tested together, by models of the other sites."""
    sites = pd.Series(["A", "B", "C"] * 8, index=[f"{number:03d}" for number in range(24)])
    manifest = splits(IDS, Design(kind="loso"), sites=sites)
    fold = manifest.set_index("participant")["fold"]
    for _, people in fold.groupby(sites.loc[fold.index]):
        assert people.nunique() == 1
    assert fold.nunique() == 3


def test_leave_one_site_out_needs_two_sites_and_everyone_s_site() -> None:
    """Each refusal says what is missing."""
    site = pd.Series("A", index=IDS)
    with pytest.raises(TooFewError, match="two sites or more; all participants are at A"):
        splits(IDS, Design(kind="loso"), sites=site)
    with pytest.raises(StudyError, match="no site is known of participant 022"):
        splits(IDS, Design(kind="loso"), sites=site.iloc[:-1])
    with pytest.raises(StudyError, match=r"column site in participants\.csv"):
        splits(IDS, Design(kind="loso"))


@given(n=st.integers(10, 50), n_folds=st.integers(2, 10), seed=st.integers(0, 2**31))
def test_stratified_folds_have_alike_scores(n: int, n_folds: int, seed: int) -> None:
    """Of every run of n_folds neighbours in rank each is in another fold."""
    scores = pd.Series(np.random.default_rng(seed).permutation(n), index=range(n)).astype(float)
    scores.index = [f"{number:03d}" for number in range(n)]
    manifest = splits(scores.index, Design(n_folds=n_folds, n_repeats=2, seed=seed), strata=scores)
    for _, rows in manifest.groupby("repeat"):
        fold = rows.set_index("participant")["fold"].loc[scores.sort_values().index].to_numpy()
        for start in range(0, n, n_folds):
            run = fold[start : start + n_folds]
            assert len(set(run)) == len(run)
        assert set(fold) == set(range(1, n_folds + 1))


def test_a_test_cohort_is_predicted_once_and_never_trained_on() -> None:
    """Fold 0 is trained on only; nobody is on both sides."""
    manifest = train_test(IDS[:15], IDS[15:])
    fold = manifest.set_index("participant")["fold"]
    assert (fold[IDS[:15]] == 0).all()
    assert (fold[IDS[15:]] == 1).all()
    check(manifest, IDS)
    with pytest.raises(StudyError, match="participants 000, 001 would be in training and test"):
        train_test(IDS[:15], [*IDS[15:], "000", "001"])
