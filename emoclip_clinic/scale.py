"""What a rating scale is: items, subscales, a total, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Band",
    "Criterion",
    "Difference",
    "Item",
    "Prorating",
    "ReferencePoint",
    "Scale",
    "Subscale",
]


@dataclass(frozen=True)
class Item:
    """One rated item: a code and a short label, never the text of its anchors."""

    code: str
    """Letters and digits, as the manual numbers it: "P1", "10", "16a"."""
    label: str
    """A few words."""
    minimum: float
    """Lowest rating."""
    maximum: float
    """Highest rating."""
    allowed: tuple[float, ...] = ()
    """The ratings that are allowed; empty: every whole number from minimum to maximum."""
    reverse: bool = False
    """Whether sums and means take minimum + maximum - rating; the item itself stays as rated."""
    alternatives: tuple[str, ...] = ()
    """Codes of forms on which it is rated in one of several ways: at most one of them counts."""
    counts_zero: tuple[float, ...] = ()
    """Codes for "not assessed" that a published rule counts as 0 in scores; missing as an item."""

    def accepts(self, value: float) -> bool:
        """Whether `value` is a rating that the scale allows, or a code that counts as 0."""
        if value in self.counts_zero:
            return True
        if self.allowed:
            return value in self.allowed
        return self.minimum <= value <= self.maximum and float(value).is_integer()

    @property
    def range_text(self) -> str:
        """The allowed ratings in words: "0-4", or "0, 2, 4, 6, 8" where not every number is."""
        text = f"{self.minimum:g}-{self.maximum:g}"
        if self.allowed:
            text = ", ".join(f"{value:g}" for value in self.allowed)
        zero = ", ".join(f"{value:g}" for value in self.counts_zero)
        return f"{text}, or {zero} (not assessed: 0 in scores)" if zero else text


@dataclass(frozen=True)
class Subscale:
    """A score made of items: a subscale, a factor or the total."""

    id: str
    """Its name in every table: lower-case letters, digits and underscores."""
    label: str
    """A few words."""
    items: tuple[str, ...]
    """Codes of its items."""
    method: str = "sum"
    """"sum" or "mean"."""
    source: str = ""
    """Where the composition was read."""
    unverified: str = ""
    """What of it nobody has checked against the paper or manual."""


@dataclass(frozen=True)
class Difference:
    """One score minus another."""

    id: str
    """Its name in every table: lower-case letters, digits and underscores."""
    label: str
    """A few words."""
    plus: str
    """Id of the score that is subtracted from."""
    minus: str
    """Id of the score that is subtracted."""
    source: str = ""
    """Where it was read."""
    unverified: str = ""
    """What of it nobody has checked against the paper or manual."""


@dataclass(frozen=True)
class Prorating:
    """A published rule that stands in for missing items: the mean of those that were answered."""

    maximum_missing: int
    """With more missing items than this, there is no score."""
    targets: tuple[str, ...]
    """Ids of the scores the rule is for: subscales, "total"."""
    source: str
    """Who published the rule."""


@dataclass(frozen=True)
class Band:
    """A severity band of a published set, both ends included."""

    band_set: str
    """Which published set it belongs to: sets disagree, so that none is the default."""
    target: str
    """Id of the score: a subscale, "total" or an item."""
    label: str
    """What the set calls it."""
    minimum: float
    """Lowest score of the band."""
    maximum: float
    """Highest score of the band."""
    source: str
    """Who published the set."""


@dataclass(frozen=True)
class Criterion:
    """A published condition on items or scores of one session: a cut-off, remission, a flag."""

    id: str
    """Its name in every table: lower-case letters, digits and underscores."""
    label: str
    """A few words."""
    targets: tuple[str, ...]
    """Item codes or ids of scores; every one of them must lie within the limits."""
    source: str
    """Who published it."""
    minimum: float | None = None
    """Lowest value that meets it; None: there is none."""
    maximum: float | None = None
    """Highest value that meets it; None: there is none."""
    above: float | None = None
    """In place of minimum: a value that must be exceeded, also by a mean of raters."""
    duration: str = ""
    """How long it must hold, which one session cannot show: "6 months"."""
    unverified: str = ""
    """What of it nobody has checked against the paper or manual."""

    @property
    def range_text(self) -> str:
        """What meets it, in words: "at most 3"."""
        limits = {"at least": self.minimum, "above": self.above, "at most": self.maximum}
        words = [f"{word} {value:g}" for word, value in limits.items() if value is not None]
        return " and ".join(words)


@dataclass(frozen=True)
class ReferencePoint:
    """A score that was linked to a global impression: a point, not the edge of a band."""

    target: str
    """Id of the score: a subscale, "total" or an item."""
    label: str
    """The global impression."""
    value: float
    """The score."""


@dataclass(frozen=True)
class Scale:
    """A rating scale: what may be rated, and what is scored from it."""

    id: str
    """The file's name without its suffix."""
    abbreviation: str
    """How papers call it: "PANSS"."""
    name: str
    """The name in full."""
    version: str
    """Which of its versions."""
    reference: str
    """The paper that published it."""
    licence: str
    """Whose it is, and on what terms it may be used."""
    direction: str
    """"higher is worse" or "higher is better"."""
    items: tuple[Item, ...]
    """In the order of the manual."""
    subscales: tuple[Subscale, ...] = ()
    """Subscales and factors; an item may be in several."""
    differences: tuple[Difference, ...] = ()
    """Scores that are one subscale minus another."""
    total: Subscale | None = None
    """The total; None where the authors define none."""
    prorating: Prorating | None = None
    """The rule for missing items; None: an incomplete score is not made."""
    not_assessed: tuple[float, ...] = ()
    """Codes that forms of this scale use for "not assessed": read as missing."""
    percent_change_floor: float | None = None
    """The total of a person without symptoms, which percent change subtracts; None: there is no
    percent change on this scale. The floors of other scores follow from their items."""
    bands: tuple[Band, ...] = ()
    """Severity bands, each with its source."""
    criteria: tuple[Criterion, ...] = ()
    """Cut-offs, remission, items that are looked at on their own."""
    reference_points: tuple[ReferencePoint, ...] = ()
    """Scores linked to global impressions."""
    sources: tuple[str, ...] = ()
    """Where the facts of the file were read."""
    unverified: tuple[str, ...] = ()
    """What nobody has checked against the paper or manual."""
    notes: tuple[str, ...] = ()
    """What a user should know."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the items, in order."""
        return tuple(item.code for item in self.items)

    @property
    def scores(self) -> tuple[Subscale, ...]:
        """Subscales, then the total where there is one: what is made of items."""
        return (*self.subscales, *([self.total] if self.total else []))

    @property
    def parts(self) -> tuple[Subscale | Difference, ...]:
        """Every score in the order of tables: subscales, differences, total."""
        return (*self.subscales, *self.differences, *([self.total] if self.total else []))

    @property
    def band_sets(self) -> tuple[str, ...]:
        """Names of the sets of severity bands."""
        return tuple(dict.fromkeys(band.band_set for band in self.bands))

    @property
    def missing_rule(self) -> str:
        """What happens to a score with missing items, in words."""
        if self.prorating is None:
            return "a score with a missing item is not made"
        rule = self.prorating
        return (
            f"up to {rule.maximum_missing} missing items of {', '.join(rule.targets)} are replaced "
            f"by the mean of the others ({rule.source}); with more missing there is no score"
        )

    def item(self, code: str) -> Item:
        """Find the item of exactly that code."""
        return next(item for item in self.items if item.code == code)
