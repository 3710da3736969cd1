"""Agreement by site, visit and other groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from emoclip_clinic.agreement.by_group import agreement_by_group
from emoclip_clinic.agreement.equivalence import equivalence
from tests.test_agreement_equivalence import cohort, predicted_by, scored_by

PEOPLE = [f"P{n}" for n in range(60)]


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    panel = cohort(60, 3, 0.6, 0.8, seed=2)
    return scored_by(panel), predicted_by(panel)


def by_group(tables: tuple[pd.DataFrame, pd.DataFrame], **columns: object) -> pd.DataFrame:
    people = pd.DataFrame(columns, index=pd.Index(PEOPLE, name="participant"))
    return agreement_by_group(
        *tables, people, scale_id="panss", targets=["N1"], columns=list(columns),
        n_resamples=100, seed=1,
    )  # fmt: skip


def test_a_group_is_compared_as_if_it_were_alone(tables: tuple) -> None:
    """The same numbers as those of a study of that site only."""
    found = by_group(tables, site=np.where(np.arange(60) % 2, "B", "A"))
    own = [who for n, who in enumerate(PEOPLE) if n % 2]
    alone = equivalence(
        *(table[table.participant.isin(own)] for table in tables),
        scale_id="panss", targets=["N1"], tolerances={"N1": 0.5}, n_resamples=100, seed=1,
    )  # fmt: skip
    of_b = found[found.level == "B"].set_index("statistic").value
    expected = alone.set_index("statistic").value[of_b.index]
    assert dict(of_b) == pytest.approx(dict(expected))


def test_small_groups_are_hidden_with_the_reason(tables: tuple) -> None:
    """Nine people are not shown, nor is another group that would give them away."""
    found = by_group(tables, site=["A"] * 9 + ["B"] * 20 + ["C"] * 31)
    hidden = found[found.level.isin(["A", "B"])]
    assert hidden[["value", "n_participants"]].isna().all(axis=None)
    assert hidden.note.str.contains("fewer than 10 participants").all()
    assert found[found.level == "C"].value.notna().all()


def test_one_group_is_no_comparison_and_an_unknown_one_has_a_name(tables: tuple) -> None:
    """A site that all share gives no rows; who has no entry is "not known"."""
    assert by_group(tables, site=["A"] * 60).empty
    found = by_group(tables, site=["A"] * 40 + [None] * 20)
    assert set(found.level) == {"A", "not known"}
