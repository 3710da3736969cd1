"""From item ratings to scores, rater by rater; then the consensus of the raters."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from emoclip_clinic.errors import RatingsError, ScaleError
from emoclip_clinic.scale import Band, Criterion, Scale, Subscale
from emoclip_clinic.scales import targets

__all__ = ["bands", "consensus", "criteria", "floors", "percent_change", "percent_changes", "score"]

RATER_KEYS = ["participant", "session", "rater"]


def score(ratings: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Score the items, subscales and total of each rater by itself.

    A score with a missing item is no row, unless the scale names a prorating rule for it: missing
    is never zero. A prorated sum is the mean of the rated items times their full number. Reverse
    items count as minimum + maximum - rating in sums and means, and stay as rated as items. A code
    for "not assessed" that a rule of the scale counts as 0 is 0 in them, and missing as an item.

    Parameters
    ----------
    ratings
        Tidy: participant, session, rater, scale, item, value. Rows of other scales are left out.
        An item may have the code of one of its alternatives.
    scale
        What is scored.

    Returns
    -------
        participant, session, rater, scale, target, kind ("item", "subscale", "total"), value;
        sorted by participant, session and rater, targets in the order of the scale.

    Raises
    ------
    RatingsError
        An item is not of the scale, a value is none of its ratings (codes for "not assessed" are
        missing), or an item is rated twice, in one way or in two alternative ones.
    """
    rated, counted = _wide(ratings[ratings["scale"] == scale.id], scale)
    kinds = targets(scale).set_index("target")["kind"]
    table = rated.assign(**_scores(counted, scale))[list(kinds.index)].reset_index()
    tidy = table.melt(RATER_KEYS, var_name="target", ignore_index=False).dropna(subset="value")
    tidy = tidy.assign(scale=scale.id, kind=tidy["target"].map(kinds))
    # melt goes target by target: a stable sort on the old rows keeps the targets in order
    tidy = tidy.sort_index(kind="stable").reset_index(drop=True)
    return tidy[[*RATER_KEYS, "scale", "target", "kind", "value"]]


def _wide(own: pd.DataFrame, scale: Scale) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make a row a rater and session, a column an item: as rated, and as it counts in scores."""
    names = {code: item for item in scale.items for code in (item.code, *item.alternatives)}
    unknown = sorted(set(own["item"]) - set(names))
    if unknown:
        raise RatingsError(
            f"{scale.abbreviation} has no item {', '.join(unknown)}. "
            f"See 'emoclip-clinic scales show {scale.id}'."
        )
    own = own[own["value"].notna() & ~own["value"].isin(scale.not_assessed)]
    own = own.assign(way=own["item"], item=[names[name].code for name in own["item"]])
    _check_values(own, scale)
    _check_once(own, scale)
    rated = own.pivot(index=RATER_KEYS, columns="item", values="value")
    rated = rated.reindex(columns=list(scale.codes))
    counted = rated.copy()
    for item in scale.items:
        if item.reverse:
            counted[item.code] = item.minimum + item.maximum - rated[item.code]
        if item.counts_zero:
            zero = rated[item.code].isin(item.counts_zero)
            counted[item.code] = counted[item.code].mask(zero, 0.0)
            rated[item.code] = rated[item.code].mask(zero)
    return rated, counted


def _check_values(own: pd.DataFrame, scale: Scale) -> None:
    for code, value in own[["item", "value"]].drop_duplicates().itertuples(index=False):
        item = scale.item(code)
        if not item.accepts(value):
            raise RatingsError(
                f"{scale.abbreviation} item {code} = {value:g}; allowed {item.range_text}. Correct "
                f"the ratings, or see 'emoclip-clinic scales show {scale.id}'."
            )


def _check_once(own: pd.DataFrame, scale: Scale) -> None:
    keys = [*RATER_KEYS, "item"]
    twice = own[own.duplicated(keys, keep=False)]
    if twice.empty:
        return
    first = twice.iloc[0]
    ways = sorted(set(twice.loc[(twice[keys] == first[keys]).all(axis="columns"), "way"]))
    where = (
        f"participant {first['participant']}, session {first['session']}, rater {first['rater']}"
    )
    what = f"{scale.abbreviation} item {first['item']}"
    if len(ways) > 1:
        raise RatingsError(
            f"{where}: {what} is rated as {' and as '.join(ways)}. These are ways to rate one "
            "item, and both would count it twice: keep one of them."
        )
    raise RatingsError(f"{where}: {what} is rated twice. Keep one of the ratings.")


def _scores(counted: pd.DataFrame, scale: Scale) -> dict[str, pd.Series[float]]:
    """Subscales, differences and total, from a column an item."""
    made = {part.id: _values(scale, part, counted) for part in scale.scores}
    return made | {part.id: made[part.plus] - made[part.minus] for part in scale.differences}


def _values(scale: Scale, part: Subscale, counted: pd.DataFrame) -> pd.Series[float]:
    rule = scale.prorating
    tolerated = rule.maximum_missing if rule and part.id in rule.targets else 0
    answers = counted[list(part.items)]
    answered = answers.count(axis="columns")
    share = answered if part.method == "mean" else answered / len(part.items)
    value = answers.sum(axis="columns") / share
    return value.where(answered >= len(part.items) - tolerated)


def consensus(scored: pd.DataFrame) -> pd.DataFrame:
    """Average each score over the raters who gave it: score first, then average.

    Parameters
    ----------
    scored
        What `score` returns.

    Returns
    -------
        participant, session, scale, target, kind, value (mean of the raters), n_raters.
    """
    keys = ["participant", "session", "scale", "target", "kind"]
    groups = scored.groupby(keys, sort=False)["value"]
    return groups.agg(value="mean", n_raters="count").reset_index()


def bands(scored: pd.DataFrame, scale: Scale, band_set: str) -> pd.DataFrame:
    """Name the severity band of each score, by one published set of bands.

    Sets disagree, so that none is the default and the set is named in every row. Sets are made for
    the whole numbers that one rater gives: a mean of raters, or a prorated score, that falls
    between two bands has none.

    Parameters
    ----------
    scored
        What `score` or `consensus` returns.
    scale
        The scale of the set; rows of others are left out.
    band_set
        One of `scale.band_sets`.

    Returns
    -------
        participant, session, rater (where `scored` has it), scale, target, value, band_set, band
        (None between two bands). A score that is missing has no row, as in `scored`.

    Raises
    ------
    ScaleError
        The scale has no such set.
    """
    own = [band for band in scale.bands if band.band_set == band_set]
    if not own:
        known = ", ".join(scale.band_sets) or "it has none"
        raise ScaleError(f"{scale.abbreviation} has no bands {band_set!r}. Allowed: {known}.")
    rows = scored[scored["scale"] == scale.id]
    rows = rows[rows["target"].isin([band.target for band in own])].reset_index(drop=True)
    pairs = zip(rows["target"], rows["value"], strict=True)
    labels = pd.Series([_band(own, target, value) for target, value in pairs], dtype=object)
    keys = [key for key in RATER_KEYS if key in scored]
    return rows[[*keys, "scale", "target", "value"]].assign(band_set=band_set, band=labels)


def _band(own: list[Band], target: str, value: float) -> str | None:
    for band in own:
        if band.target == target and band.minimum <= value <= band.maximum:
            return band.label
    return None


def criteria(scored: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Say which of the scale's criteria are met: cut-offs, remission, items flagged on their own.

    A criterion is met where all its items and scores are there and within its limits, not met
    where any is beyond them, and missing otherwise: a suicide item that nobody rated is not a no.
    It is of one session: how long it must hold, if it must, stands beside it and is not judged.

    Parameters
    ----------
    scored
        What `score` or `consensus` returns.
    scale
        The scale of the criteria; rows of others are left out.

    Returns
    -------
        participant, session, rater (where `scored` has it), scale, criterion, label, status
        ("met", "not met", "missing"), duration ("6 months", or an empty text): a row a criterion
        for everyone of whom there is any rating.
    """
    keys = [key for key in RATER_KEYS if key in scored]
    own = scored[scored["scale"] == scale.id]
    wide = own.pivot(index=keys, columns="target", values="value")
    columns = [*keys, "scale", "criterion", "label", "status", "duration"]
    parts = [
        _status(wide, criterion)
        .reset_index()
        .assign(
            scale=scale.id,
            criterion=criterion.id,
            label=criterion.label,
            duration=criterion.duration,
        )
        for criterion in scale.criteria
    ]
    table = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    # criteria of one sheet stand together, in the order of the scale
    return table[columns].sort_index(kind="stable").reset_index(drop=True)


def _status(wide: pd.DataFrame, criterion: Criterion) -> pd.Series[str]:
    values = wide.reindex(columns=list(criterion.targets))
    outside = pd.DataFrame(False, values.index, values.columns)
    if criterion.minimum is not None:
        outside |= values < criterion.minimum
    if criterion.above is not None:
        outside |= values <= criterion.above
    if criterion.maximum is not None:
        outside |= values > criterion.maximum
    beyond = outside.any(axis="columns")
    unknown = values.isna().any(axis="columns")
    status = np.select([beyond, unknown], ["not met", "missing"], "met")
    return pd.Series(status, index=wide.index, name="status")


def floors(scale: Scale) -> dict[str, float]:
    """Give what a person without symptoms scores on each item, subscale and total.

    Computed from the lowest ratings. There is none for a reverse item, for a difference of scores,
    and on a scale without `percent_change_floor`.
    """
    if scale.percent_change_floor is None:
        return {}
    without = {item.code for item in scale.items if item.reverse}
    without |= {part.id for part in scale.differences}
    table = targets(scale)
    table = table[~table["target"].isin(without)]
    return dict(zip(table["target"], table["minimum"].astype(float), strict=True))


def percent_change(
    baseline: ArrayLike, follow_up: ArrayLike, floor: ArrayLike
) -> NDArray[np.float64]:
    """Compute the percent change from baseline on a scale that does not begin at zero.

    100 (baseline - follow_up) / (baseline - floor): positive where the score fell, 100 where it
    fell to `floor`. Without the subtraction a scale whose items begin at 1 could never reach 100,
    and response would be underestimated (Obermeier et al., BMC Psychiatry 2011;11:113).

    Parameters
    ----------
    baseline, follow_up
        Scores, of equal shape.
    floor
        The score of a person without symptoms, one for all or of that shape: see `floors`.

    Returns
    -------
        Percent, of that shape; NaN where the baseline is not above the floor.
    """
    start, end = np.asarray(baseline, dtype=float), np.asarray(follow_up, dtype=float)
    room = np.where(start > floor, start - floor, np.nan)
    return np.asarray(100 * (start - end) / room)


def percent_changes(scored: pd.DataFrame, scale: Scale, baseline: str = "01") -> pd.DataFrame:
    """Compare every later score with the one at the baseline session, each from its own floor.

    Parameters
    ----------
    scored
        What `score` returns (each rater with their own baseline) or `consensus`.
    scale
        Gives the floors; rows of other scales are left out.
    baseline
        The session that the others are compared with.

    Returns
    -------
        participant, session, rater (where `scored` has it), scale, target, kind, value, baseline,
        fall (baseline - value: where higher is better, a fall is a change for the worse), floor,
        percent. NaN where there is no baseline, no floor, or no room above it.

    Raises
    ------
    RatingsError
        Nobody was rated at the baseline session.
    """
    own = scored[scored["scale"] == scale.id]
    sessions = sorted(set(own["session"]))
    if baseline not in sessions:
        known = ", ".join(sessions) or "none"
        raise RatingsError(
            f"nobody has {scale.abbreviation} scores at session {baseline!r}. Rated: {known}."
        )
    person = [key for key in ("participant", "rater") if key in scored]
    start = own.loc[own["session"] == baseline, [*person, "target", "value"]]
    start = start.rename(columns={"value": "baseline"})
    later = own[own["session"] != baseline].merge(start, on=[*person, "target"], how="left")
    floor = later["target"].map(floors(scale)).astype(float)
    later = later.assign(fall=later["baseline"] - later["value"], floor=floor)
    percent = percent_change(later["baseline"], later["value"], later["floor"])
    keys = [key for key in RATER_KEYS if key in scored]
    columns = [*keys, "scale", "target", "kind", "value", "baseline", "fall", "floor"]
    return later[columns].assign(percent=percent)
