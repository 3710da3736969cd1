"""Names and dates that a text mentions, however they are written there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

__all__ = ["dates_in", "names_in", "squeezed"]

UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
"""Kana, Han and Hangul: between their words there need be no space."""
WORD = re.compile(rf"[{UNSPACED}]|\d+|[^\W\d_{UNSPACED}]+")
"""A run of letters or of digits: "P01" is two, and so is "P-01"."""
ONE_LETTER = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not take apart."""
UMLAUT = re.compile("([aou])e")
"""Mueller is Müller, and Muller too."""

DAY, MONTH, YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "(?:19|20)[0-9]{2}"
TWO = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
OWT = "(?:0[1-9]|[12][0-9]|3[01])(?:0[1-9]|1[0-2])"
GAP = r"\s?[-./_\s]\s?"
NAMED = (
    "jan(?:uary|uar|vier)?|enero|feb(?:ruary|ruar|rero)?|f[ée]vrier|mar(?:ch|s|zo)?|m[äa]e?rz|mrz|"
    "apr(?:il)?|avril|abril|may|mai|mayo|june?|juni|juin|junio|july?|juli|juillet|julio|"
    "aug(?:ust)?|ao[ûu]t|agosto|sep(?:t|tember|tembre|tiembre)?|o[ck]t(?:ober|obre)?|octubre|"
    "nov(?:ember|embre|iembre)?|de[cz](?:ember)?|d[ée]cembre|dic(?:iembre)?"
)
"""Months in English, German, French and Spanish."""
NO_LETTER = r"(?![^\W\d_])"
FORMS = (
    f"{YEAR}{GAP}{MONTH}{GAP}{DAY}",
    f"(?:{DAY}{GAP}{MONTH}|{MONTH}{GAP}{DAY}){GAP}{YEAR}",
    # a version is no date: v1.2.10, 0.1.2.10
    rf"(?<![^\W_])(?<![0-9]\.)(?:{DAY}[-./]{MONTH}|{MONTH}[-./]{DAY})[-./][0-9]{{2}}(?!\.[0-9])",
    # with the time of day, as cameras write it
    f"{YEAR}{TWO}(?:[0-9]{{4}}|[0-9]{{6}})?",
    f"(?:{TWO}|{OWT}){YEAR}",
    rf"{DAY}(?:st|nd|rd|th|er|\.)?(?:\s+(?:of|de))?[-_/,\s]{{0,2}}(?:{NAMED}){NO_LETTER}"
    rf"(?:\.?(?:\s+de)?[-_/,\s]{{0,2}}{YEAR})?",
    rf"(?<![^\W\d_])(?:{NAMED})\.?(?:\s+de)?[-_/,\s]{{0,2}}"
    rf"(?:{YEAR}|{DAY}(?![0-9])(?:(?:st|nd|rd|th)?[,\s]{{0,2}}{YEAR})?)",
    "[0-9]{4}\\s?\u5e74\\s?[0-9]{1,2}\\s?\u6708(?:\\s?[0-9]{1,2}\\s?\u65e5)?",
)
DATE = re.compile(f"(?<![0-9])(?:{'|'.join(FORMS)})(?![0-9])", re.IGNORECASE)


def squeezed(text: str) -> str:
    """Give a text's letters and digits alone, without case and accents.

    Two names that differ in case, punctuation, spaces or accents only are squeezed into one; an
    umlaut is its letter, with an e behind it or not.
    """
    return _plain("".join(_folded(word) for word in WORD.findall(_composed(text))))


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold().translate(ONE_LETTER))
    bare = "".join(letter for letter in apart if unicodedata.category(letter) != "Mn")
    return unicodedata.normalize("NFC", bare)


def _plain(folded: str) -> str:
    return UMLAUT.sub(r"\1", folded)


def names_in(text: str, names: Collection[str]) -> list[str]:
    """Find names in a text: whole words that, squeezed together, are a name.

    Parameters
    ----------
    text
        Any text.
    names
        As `squeezed` gives them.

    Returns
    -------
    list of str
        What was found, as it stands in the text; of names within one another the longest.
    """
    text = _composed(text)
    words = [(word.start(), word.end(), _folded(word.group())) for word in WORD.finditer(text)]
    # an umlaut takes two letters of the text at most
    longest = 2 * max(map(len, names), default=0)
    found, after = [], 0
    for first, (start, _, _) in enumerate(words):
        ends = _ends(words[first:], names, longest) if start >= after else []
        if ends:
            after = ends[-1]
            found.append(text[start:after])
    return found


def _ends(words: list[tuple[int, int, str]], names: Collection[str], longest: int) -> list[int]:
    """Find where names end that begin with the first of the words."""
    joined, ends = "", []
    for _, stop, folded in words:
        joined += folded
        if len(joined) > longest:
            break
        if _plain(joined) in names:
            ends.append(stop)
    return ends


def dates_in(text: str) -> list[str]:
    """Find days and months of a year in a text, in common writings; a year alone is none.

    Examples
    --------
    >>> dates_in("Pilot of 05.03.2024, and of May 7; cohort of 2019-2022")
    ['05.03.2024', 'May 7']
    """
    return [found.group() for found in DATE.finditer(_composed(text))]
