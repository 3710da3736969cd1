from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from emoclip_clinic.regression.measures import METRICS, metrics
from tests.paired_scores import slow


@given(seed=st.integers(0, 2**32 - 1))
def test_weights_count_recordings_as_if_they_were_repeated(seed: int) -> None:
    """Weighted metrics are those of scipy, scikit-learn and statsmodels on the repeated rows."""
    generator = np.random.default_rng(seed)
    observed = generator.integers(1, 8, 15).astype(float)
    predicted = np.round(generator.normal(100, 2, 15), 1)
    baseline = generator.normal(4, 0.1, 15)
    weights = generator.integers(0, 4, (3, 15))
    weights[:, :3] += 1
    observed[:3], predicted[:3] = [1, 2, 7], [99, 98, 101]
    found = metrics(observed, predicted, baseline, weights.astype(float))
    for row, counts in enumerate(weights):
        expected = slow(*(np.repeat(v, counts) for v in (observed, predicted, baseline)))
        for name in METRICS:
            assert found[name][row] == pytest.approx(expected[name], rel=1e-9, abs=1e-8)


def test_a_shift_lowers_concordance_as_lin_says() -> None:
    """r2 against a constant baseline is scikit-learn's R2; CCC has Lin's closed form.

    y = x + shift has CCC = 2 s^2 / (2 s^2 + shift^2), with the variance over n.
    """
    x = np.array([1.0, 2, 3, 4, 5])
    found = metrics(x, x + 1, np.full(5, 3.0))
    assert found["ccc"].item() == pytest.approx(2 * 2 / (2 * 2 + 1))
    assert found["r2"].item() == pytest.approx(r2_score(x, x + 1))
