"""How files call the items and scores of a scale."""

from __future__ import annotations

import re
from collections.abc import Iterable

from emoclip_clinic.resources import close_matches
from emoclip_clinic.scale import Item, Scale

__all__ = ["ItemNames", "plain"]

TOTALS = ("total", "totalscore", "sum", "sumscore")
"""What a total is called where the scale is not named."""
# "hamilton1": the first word of a scale's name, where it is no short common one
FEWEST_LETTERS = 6


def plain(text: str) -> str:
    """Letters and digits alone, in lower case: "PANSS N-01" is "panssn01"."""
    return re.sub(r"[\W_]", "", text.casefold())


class ItemNames:
    """The names by which the items and scores of a scale are known.

    An item is its code, or one of its alternative codes, alone, after "item", or after a name of
    the scale: "P1", "p01", "item_p1", "panss_P1", "hamilton_1", "phq_q1".

    Parameters
    ----------
    scale
        The scale.
    """

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.codes = {
            plain(code): item for item in scale.items for code in (item.code, *item.alternatives)
        }
        word = re.match(r"\w*", scale.name.casefold())
        names = [plain(scale.id), plain(scale.abbreviation)]
        names += [re.sub("[0-9]+$", "", name) for name in names]
        names += [word.group()] if word and len(word.group()) >= FEWEST_LETTERS else []
        self.names = tuple(dict.fromkeys(filter(None, names)))
        """How the scale is called, as `plain` writes it."""
        after = [name + infix for name in self.names for infix in ("", "item", "q")]
        self.prefixes = ("", "item", *after)

    def candidates(self, heading: str) -> dict[str, Item]:
        """Every prefix after which the heading is the code of an item."""
        text, found = plain(heading), {}
        for prefix in self.prefixes:
            code = _without_zeros(text.removeprefix(prefix)) if text.startswith(prefix) else ""
            if code in self.codes:
                found[prefix] = self.codes[code]
        return found

    def hint(self, name: str) -> str:
        """'Did you mean ...? ' for the code of an unknown item, or an empty text."""
        bare = plain(name).removeprefix(self.names[0]).removeprefix("item")
        return close_matches(_without_zeros(bare), list(self.codes))

    def labelled(self, label: str) -> list[Item]:
        """Items whose label, alone or after code and scale, a text is."""
        text = plain(label)
        return [item for item in self.scale.items if text and text in self._labels(item)]

    def _labels(self, item: Item) -> Iterable[str]:
        label = plain(item.label)
        if label:
            code = plain(item.code) + label
            yield from (label, code, *(name + code for name in self.names))

    def numbered(self, heading: str, label: str) -> Item | None:
        """Find the item whose code ends the heading and begins the label: "x_7", "7. Work"."""
        number = re.match(r"\s*\(?(\w+)[.:)]\s*\S", label)
        code = _without_zeros(plain(number.group(1))) if number else ""
        if code not in self.codes or not re.search(rf"(?<!\d)0*{code}$", plain(heading)):
            return None
        return self.codes[code]

    def score(self, heading: str) -> str | None:
        """Give the id of the subscale or total that a heading names; None if none."""
        text = plain(heading)
        for part in self.scale.scores:
            own = {plain(part.id), plain(part.label)} - {""}
            if part is self.scale.total:
                own |= {*TOTALS}
                if text in self.names:
                    return part.id
            if text in own | {name + word for name in self.names for word in own}:
                return part.id
        return None

    def resembles(self, heading: str, prefixes: Iterable[str]) -> bool:
        """Whether a heading without an item looks like one, after any of these prefixes."""
        # what stands before the number in the codes: p, n, g in PANSS, nothing in CAINS
        stems = {re.sub(r"[0-9].*", "", code) for code in self.codes}
        text = plain(heading)
        rests = [text.removeprefix(one) for one in prefixes if text.startswith(one)]
        return any(rest and re.sub(r"[0-9]+[a-z]?$", "", rest) in stems for rest in rests)


def _without_zeros(code: str) -> str:
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", code)
