"""Covariates such as age, sex and site: as numbers, and what they explain of features or scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression

from emoclip_clinic.errors import SettingsError

__all__ = [
    "Category",
    "CovariateEncoder",
    "CovariateRegression",
    "Number",
    "require_covariates",
    "suspicious",
]

Array = NDArray[np.float64]

# what is left of a feature below this share of its size is rounding
ROUNDING = 1e-9
SAME = 0.999
"""Correlation above which a covariate is taken for the score itself."""
FEWEST = 5
"""Participants (of a number) or recordings (of a category) below which it may be coincidence."""


def require_covariates(covariates: pd.DataFrame | None) -> pd.DataFrame:
    """Give the covariates that a model needs.

    Raises
    ------
    SettingsError
        There are none.
    """
    if covariates is None or covariates.columns.empty:
        raise SettingsError(
            "a model with covariates was asked for and no covariate is given: name columns of "
            'participants.csv in study.toml, such as [fit] covariates = ["age", "sex"].'
        )
    return covariates


@dataclass(frozen=True)
class Number:
    """A covariate that is a number, as it was in training."""

    name: str
    """Its column."""
    mean: float
    """Of the recordings that have it; it stands in for a gap."""
    sd: float
    """Of the same recordings (ddof 0)."""

    def columns(self, table: pd.DataFrame) -> list[Array]:
        """Give the number in SDs from the mean, and whether it is missing."""
        values = _numbers(table, self.name)
        gap = np.isnan(values)
        z = (np.where(gap, self.mean, values) - self.mean) / (self.sd or 1.0)
        return [z, gap.astype(float)]


@dataclass(frozen=True)
class Category:
    """A covariate that is a text, as it was in training."""

    name: str
    """Its column."""
    levels: tuple[str, ...]
    """The texts of the training recordings, sorted."""

    def columns(self, table: pd.DataFrame) -> list[Array]:
        """Give for each level whether it is the recording's; a gap or a new text is none."""
        values = _texts(_column(table, self.name))
        return [np.asarray(values == level, dtype=np.float64) for level in self.levels]


class CovariateEncoder(BaseEstimator):  # type: ignore[misc] # untyped
    """Covariates as numbers, by what was seen in training.

    A number is standardised; a gap becomes the training mean, and where the training recordings
    have gaps a column says where they are. A text becomes a column for each text of the training
    recordings; another text, or a gap, is 0 in all. What is the same in all training recordings
    gives no column. Where nothing varies there is a single column of zeros.

    Attributes
    ----------
    covariates_
        `Number` or `Category` of each column.
    kept_
        Which of their columns vary in training.
    """

    def fit(self, table: pd.DataFrame) -> Self:
        """Learn from the covariates of training recordings (index recording)."""
        self.covariates_ = [_learnt(table, str(name)) for name in table.columns]
        columns = self._every(table)
        self.kept_ = np.ptp(columns, axis=0) > 0
        return self

    def transform(self, table: pd.DataFrame) -> Array:
        """Numbers of any recordings, shape (n, n_columns).

        Raises
        ------
        SettingsError
            A covariate is not in the table, or is a text where it was a number.
        """
        if not self.kept_.any():
            return np.zeros((len(table), 1))
        return np.asarray(self._every(table)[:, self.kept_])

    def _every(self, table: pd.DataFrame) -> Array:
        columns = [column for one in self.covariates_ for column in one.columns(table)]
        return np.column_stack([np.zeros(len(table)), *columns])


class CovariateRegression(BaseEstimator):  # type: ignore[misc] # untyped
    """Least squares of features or scores on encoded covariates, with an intercept.

    Taking what it explains out of features is confound regression within cross-validation (Snoek et
    al. 2019). It removes linear, additive effects as the training recordings show them. It does not
    remove nonlinear effects or interactions, differences of spread, or what correlates with the
    covariate for another reason; where the covariate goes with the symptom itself, that part of the
    symptom is removed as well.

    References
    ----------
    Snoek L, Miletić S, Scholte HS. How to control for confounds in decoding analyses of
    neuroimaging data. NeuroImage 2019;184:741-760.
    """

    def fit(self, X: Array, y: Array) -> Self:
        """Learn from encoded covariates X (n, p) and features or scores y (n, q)."""
        self.model_ = LinearRegression().fit(X, y)
        left = np.abs(y - self.model_.predict(X)).max(axis=0)
        self.explained_ = left <= ROUNDING * np.abs(y).max(axis=0)
        return self

    def predict(self, X: Array) -> Array:
        """Give what the covariates explain, shape (n, q)."""
        return np.asarray(self.model_.predict(X))

    def residuals(self, X: Array, y: Array) -> Array:
        """Give what they do not explain, shape (n, q); 0 where in training they explained all."""
        return np.where(self.explained_, 0.0, y - self.predict(X))


def suspicious(
    covariates: pd.DataFrame, targets: pd.DataFrame, participants: pd.Series
) -> list[str]:
    """Find covariates that are a score under another name, and would predict it trivially.

    Parameters
    ----------
    covariates, targets
        Index recording; gaps are left out.
    participants
        The participant of each recording (index recording).

    Returns
    -------
        A note for each pair with |r| > `SAME`, and for each category that determines a score: in
        levels that several participants have, `FEWEST` recordings in all, the score is one within
        a level and differs between levels.
    """
    people = participants.reindex(targets.index)
    notes = []
    for name, column in covariates.reindex(targets.index).items():
        check = _same_number if pd.api.types.is_numeric_dtype(column) else _same_category
        for target in targets:
            score = targets[target]
            both = column.notna() & score.notna()
            found = check(column[both], score[both], people[both])
            if found:
                notes.append(f"covariate {name} {found}: it would predict itself")
    return notes


def _same_number(column: pd.Series, score: pd.Series, people: pd.Series) -> str:
    x, y = column.to_numpy(float), score.to_numpy(float)
    if people.nunique() < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return ""
    r = float(np.corrcoef(x, y)[0, 1])
    verb = "equals" if np.allclose(x, y) else "goes with"
    return f"{verb} the score {score.name} (r = {r:.2f})" if abs(r) > SAME else ""


def _same_category(column: pd.Series, score: pd.Series, people: pd.Series) -> str:
    shared = people.groupby(column.astype(str)).transform("nunique") > 1
    scores = score[shared].groupby(column[shared].astype(str))
    if shared.sum() < FEWEST or (scores.nunique() > 1).any() or score[shared].nunique() < 2:
        return ""
    return f"determines the score {score.name} in {int(shared.sum())} recordings"


def _learnt(table: pd.DataFrame, name: str) -> Number | Category:
    column = _column(table, name)
    if not pd.api.types.is_numeric_dtype(column):
        return Category(name, tuple(sorted(_texts(column).dropna().unique())))
    values = _numbers(table, name)
    known = values[~np.isnan(values)]
    if not len(known) or np.ptp(known) == 0:
        return Number(name, float(known[0]) if len(known) else 0.0, 0.0)
    return Number(name, float(known.mean()), float(known.std()))


def _column(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in table:
        raise SettingsError(f"no covariate {name} is given; the model was fitted with it. Add it.")
    return table[name]


def _numbers(table: pd.DataFrame, name: str) -> Array:
    try:
        numbers = pd.to_numeric(_column(table, name))
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"covariate {name}: {error}; it was a number where the model was fitted. Give numbers."
        ) from error
    return numbers.to_numpy(float, na_value=np.nan)


def _texts(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype(object).where(column.notna()).map(str, na_action="ignore")
