"""Agreement on categories: what raw agreement leaves over once chance has had its share."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Literal, get_args

import krippendorff
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from emoclip_clinic.agreement.designs import complete, wide
from emoclip_clinic.agreement.estimates import LEVEL, Estimate, join_notes, to_table
from emoclip_clinic.errors import RatingsError

__all__ = ["fleiss_kappa", "gwet_ac", "kappa", "krippendorff_alpha"]

METHOD = "Student t interval, linearised variance (Gwet 2021)"
JACKKNIFE = "Student t interval, jackknife over subjects"

ZERO = 1e-12
"""What is smaller is rounding, and counts as 0."""

Weights = Literal["linear", "quadratic"] | None
Level = Literal["nominal", "ordinal", "interval", "ratio"]
Floats = NDArray[np.float64]


def kappa(ratings: pd.DataFrame, weights: Weights = None) -> pd.DataFrame:
    """Estimate Cohen's kappa of each pair of raters, and their raw agreement.

    kappa = (pa - pe) / (1 - pe): pa is the share of agreements, pe what it would be if each rater
    kept their own frequencies and rated at random. With weights, a disagreement by d (1 for the
    values farthest apart) counts as 1 - d ("linear") or 1 - d^2 ("quadratic") of an agreement.
    Where nearly all subjects are in one category, kappa is low however well raters agree (the
    prevalence paradox): read it beside raw agreement and `gwet_ac`.

    Parameters
    ----------
    ratings : pandas.DataFrame
        Columns subject, rater, value; a missing rating has no row, or NaN. Subjects that one of
        the pair did not rate are dropped, and the note says how many.
    weights : {None, "linear", "quadratic"}
        None: all disagreements are alike.

    Returns
    -------
    pandas.DataFrame
        Rows kappa and raw agreement of each pair (named in the note): name, value, ci_low,
        ci_high, n_subjects, n_raters, method, note. An undefined value is NaN and the note says
        why.

    Raises
    ------
    RatingsError
        The ratings are no such table, or the weights are unknown.

    References
    ----------
    Cohen J (1960). Educ Psychol Meas 20:37-46; (1968) Psychological Bulletin 70:213-220.
    Fleiss JL, Cohen J, Everitt BS (1969). Psychological Bulletin 72:323-327 (the variance).

    Examples
    --------
    >>> import pandas as pd
    >>> values = [1, 1, 2, 2, 1, 1, 2, 1]
    >>> ratings = pd.DataFrame({"subject": [1, 2, 3, 4] * 2, "rater": list("AAAABBBB")})
    >>> [round(float(value), 4) for value in kappa(ratings.assign(value=values)).value]
    [0.5, 0.75]
    """
    scores = wide(ratings)
    rows: list[Estimate] = []
    for pair in itertools.combinations(scores.columns, 2):
        both, dropped = complete(scores[list(pair)].dropna(how="all"))
        note = join_notes(f"{pair[0]} with {pair[1]}", dropped)
        categories = np.unique(both)
        weight = _weight_matrix(categories, weights)
        first, second = (_shares(both[[rater]].to_numpy(), categories) for rater in pair)
        chance = (first @ weight @ _prevalence(second) + second @ weight @ _prevalence(first)) / 2
        rows += _coefficient("kappa", weights, both.to_numpy(), categories, chance, note)
    needs = f"undefined: needs 2 raters, has {scores.shape[1]}"
    return to_table(rows or [Estimate(_named("kappa", weights), *scores.shape, note=needs)])


def gwet_ac(
    ratings: pd.DataFrame, weights: Weights = None, categories: ArrayLike | None = None
) -> pd.DataFrame:
    """Estimate Gwet's AC1, or AC2 with weights, of all raters, and their raw agreement.

    As kappa, with a chance agreement pe = T / (q (q - 1)) sum pi_k (1 - pi_k), where pi_k is the
    share of category k, q the number of categories and T the sum of the weights. It does not
    collapse where one category prevails.

    Parameters
    ----------
    ratings : pandas.DataFrame
        As for `kappa`. All raters enter; a subject rated once tells of the shares only.
    weights : {None, "linear", "quadratic"}
        As for `kappa`.
    categories : array_like, optional
        All values that were allowed; by default those that occur. The number matters here.

    Returns
    -------
    pandas.DataFrame
        Rows AC1 (AC2) and raw agreement, with the columns of `kappa`.

    Raises
    ------
    RatingsError
        The ratings are no such table, a value is not among the categories, or the weights are
        unknown.

    References
    ----------
    Gwet KL (2008). Br J Math Stat Psychol 61:29-48; (2021) Handbook of Inter-Rater Reliability.
    """
    scores = wide(ratings)
    allowed = _categories(scores, categories)
    shares = _shares(scores.to_numpy(), allowed)
    q = len(allowed)
    total = _weight_matrix(allowed, weights).sum() / max(q * (q - 1), 1)
    name = "AC1" if weights is None else "AC2"
    chance = total * (shares @ (1 - _prevalence(shares)))
    return to_table(_coefficient(name, weights, scores.to_numpy(), allowed, chance))


def fleiss_kappa(ratings: pd.DataFrame) -> pd.DataFrame:
    """Estimate Fleiss' kappa of all raters, and their raw agreement.

    As kappa, with the chance agreement of raters who share their frequencies, pe = sum pi_k^2.
    For subjects that were rated by different raters, of whom none is of interest.

    Parameters
    ----------
    ratings : pandas.DataFrame
        As for `kappa`. Subjects that some rater did not rate are dropped, and the note says how
        many.

    Returns
    -------
    pandas.DataFrame
        Rows Fleiss kappa and raw agreement, with the columns of `kappa`.

    Raises
    ------
    RatingsError
        The ratings are no such table.

    References
    ----------
    Fleiss JL (1971). Psychological Bulletin 76:378-382.
    """
    scores, note = complete(wide(ratings))
    categories = np.unique(scores)
    shares = _shares(scores.to_numpy(), categories)
    chance = shares @ _prevalence(shares)
    return to_table(_coefficient("Fleiss kappa", None, scores.to_numpy(), categories, chance, note))


def krippendorff_alpha(ratings: pd.DataFrame, level: Level = "ordinal") -> pd.DataFrame:
    """Estimate Krippendorff's alpha of all raters.

    alpha = 1 - Do / De: observed over expected disagreement, for any number of raters and for
    missing ratings. It equals ICC-like agreement for interval data of many subjects.

    Parameters
    ----------
    ratings : pandas.DataFrame
        As for `kappa`. Subjects rated once are left out, and the note says how many.
    level : {"nominal", "ordinal", "interval", "ratio"}
        What a difference between two values means.

    Returns
    -------
    pandas.DataFrame
        One row, with the columns of `kappa`.

    Raises
    ------
    RatingsError
        The ratings are no such table, or the level is unknown.

    References
    ----------
    Krippendorff K (2019). Content Analysis, 4th ed., ch. 12.
    """
    if level not in get_args(Level):
        raise RatingsError(f"level {level!r} is unknown; allowed: {', '.join(get_args(Level))}.")
    scores = wide(ratings)
    pairable = scores[scores.notna().sum(axis=1) > 1]
    left_out = len(scores) - len(pairable)
    note = f"{left_out} of {len(scores)} subjects left out: rated once" if left_out else ""
    row = Estimate(f"alpha ({level})", *pairable.shape, method=JACKKNIFE, note=note)
    values = _occurring(pairable)
    if len(pairable) < 2 or len(values) < 2:
        why = "all ratings are the same" if len(pairable) > 1 else _needs(len(pairable))
        return to_table([replace(row, note=join_notes(f"undefined: {why}", note))])
    counts = (pairable.to_numpy()[:, :, None] == values).sum(axis=1)
    left = np.array([_alpha(np.delete(counts, i, 0), values, level) for i in range(len(counts))])
    return to_table([_jackknifed(replace(row, value=_alpha(counts, values, level)), left)])


def _alpha(counts: NDArray[np.int_], values: Floats, level: Level) -> float:
    if (counts.sum(axis=0) > 0).sum() < 2:
        return np.nan
    return float(
        krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=level)
    )


def _jackknifed(row: Estimate, left_out: Floats) -> Estimate:
    n = len(left_out)
    if n < 3 or not np.isfinite(left_out).all() or np.ptp(left_out) == 0:
        return replace(row, note=join_notes("no interval: too few different ratings", row.note))
    return _student(row, float(left_out.std()) * np.sqrt(n - 1), n)


def _needs(n: int) -> str:
    return f"needs 2 subjects rated twice, has {n}"


def _occurring(scores: pd.DataFrame) -> Floats:
    values = np.unique(scores)
    return np.asarray(values[~np.isnan(values)])


def _categories(scores: pd.DataFrame, allowed: ArrayLike | None) -> Floats:
    found = _occurring(scores)
    if allowed is None:
        return found
    categories = np.unique(np.asarray(allowed, dtype=float))
    strange = np.setdiff1d(found, categories)
    if len(strange):
        raise RatingsError(f"value {strange[0]:g} is not among the categories {categories}.")
    return categories


def _shares(scores: Floats, categories: Floats) -> Floats:
    """Share of each subject's ratings in each category, shape (subjects, categories)."""
    counts = (scores[:, :, None] == categories).sum(axis=1).astype(float)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _prevalence(shares: Floats) -> Floats:
    return np.asarray(shares.sum(axis=0) / max(len(shares), 1))


def _weight_matrix(categories: Floats, weights: Weights) -> Floats:
    """How much of an agreement each pair of values is, 1 on the diagonal."""
    if weights is None:
        return np.eye(len(categories))
    if weights not in ("linear", "quadratic"):
        raise RatingsError(f"weights {weights!r} are unknown; allowed: None, linear, quadratic.")
    distance = np.abs(categories[:, None] - categories) / max(np.ptp(categories), 1e-300)
    return np.asarray(1 - (distance if weights == "linear" else distance**2))


def _named(name: str, weights: Weights) -> str:
    return name if weights is None else f"{name} ({weights})"


def _coefficient(
    name: str, weights: Weights, scores: Floats, categories: Floats, chance: Floats, note: str = ""
) -> list[Estimate]:
    """Rows of a coefficient (pa - pe) / (1 - pe), and of pa.

    `chance` holds each subject's part in pe, its mean; the variance is that of the subjects'
    linearised values, in which pe moves twice as fast because both ratings of a pair move it.
    """
    n_subjects, n_raters = scores.shape
    row = Estimate(_named(name, weights), n_subjects, n_raters, method=METHOD, note=note)
    raw = replace(row, name=_named("raw agreement", weights))
    counts = (scores[:, :, None] == categories).sum(axis=1)
    raters = counts.sum(axis=1)
    twice = raters > 1
    if twice.sum() < 2:
        why = join_notes(f"undefined: {_needs(int(twice.sum()))}", note)
        return [replace(row, note=why), replace(raw, note=why)]
    pairs = np.where(twice, raters * (raters - 1), 1)
    alike = counts * (counts @ _weight_matrix(categories, weights) - 1)
    agreement = np.where(twice, alike.sum(axis=1) / pairs, np.nan)
    raw = _with_interval(raw, agreement[twice])
    expected = float(chance.mean())
    if (counts.sum(axis=0) > 0).sum() < 2 or expected == 1:
        return [replace(row, note=join_notes("undefined: only one category occurs", note)), raw]
    value = (raw.value - expected) / (1 - expected)
    excess = np.where(twice, agreement - expected, 0) / twice.mean()
    linearised = (excess - 2 * (1 - value) * (chance - expected)) / (1 - expected)
    return [_with_interval(row, linearised), raw]


def _with_interval(row: Estimate, parts: Floats) -> Estimate:
    n, value = len(parts), float(parts.mean())
    row = replace(row, value=0.0 if abs(value) < ZERO else value)
    if np.ptp(parts) < ZERO:
        return replace(row, note=join_notes("no interval: subjects do not differ", row.note))
    # divided by n, as the published standard errors are
    return _student(row, float(parts.std()) / np.sqrt(n), n)


def _student(row: Estimate, error: float, n: int) -> Estimate:
    half = float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    return replace(row, ci_low=max(row.value - half, -1.0), ci_high=min(row.value + half, 1.0))
