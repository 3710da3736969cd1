"""The fonts of a report: DejaVu Sans, and for letters that it has not, those of another font.

reportlab draws a text in one font. So where a report has letters that DejaVu Sans lacks (Chinese
ones), their shapes are taken from another font into a copy of DejaVu Sans, which is embedded.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import matplotlib
from fontTools.merge import Merger
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont as OpenFont
from fontTools.ttLib import TTLibError
from fontTools.ttLib.scaleUpem import scale_upem
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from emoclip_clinic.errors import SettingsError

__all__ = ["BOLD", "BOLD_ITALIC", "ITALIC", "REGULAR", "use_fonts"]

# DejaVu Sans comes with matplotlib, may be embedded freely, and has figures of equal width
REGULAR = "DejaVuSans"
BOLD = "DejaVuSans-Bold"
ITALIC = "DejaVuSans-Oblique"
BOLD_ITALIC = "DejaVuSans-BoldOblique"
STYLES = (REGULAR, BOLD, ITALIC, BOLD_ITALIC)

KNOWN = (
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/google-droid-sans-fonts/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/wqy-microhei/wqy-microhei.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
    "C:/Windows/Fonts/simhei.ttf",
    "C:/Windows/Fonts/msyh.ttc",
)
"""Where systems keep a TrueType font with Chinese letters."""
DROPPED = (
    "BASE", "DSIG", "FFTM", "GDEF", "GPOS", "GSUB", "LTSH", "STAT", "VDMX", "cvt ", "fpgm", "gasp",
    "hdmx", "kern", "meta", "prep", "vhea", "vmtx",
)  # fmt: skip
"""Tables of a font that a page of ours does not use."""
# it tells of every table that is left out on purpose
logging.getLogger("fontTools").setLevel(logging.ERROR)

IDEOGRAPHS = range(0x2E80, 0xD7B0)
"""Letters of Chinese, Japanese and Korean, without which a text cannot be read."""


def use_fonts(texts: Iterable[str] = (), font: str = "") -> None:
    """Make the four styles known to reportlab, with the letters that the texts need.

    Parameters
    ----------
    texts
        Everything that may be printed.
    font
        A TrueType font with letters that DejaVu Sans lacks; a known one of this machine if empty.

    Raises
    ------
    SettingsError
        The texts have Chinese letters, and there is no font that has them.
    """
    wanted = {ord(letter) for text in texts for letter in text}
    lacking = tuple(sorted(wanted - _letters(REGULAR)))
    source = _source(lacking, font) if lacking or font else ""
    for name in STYLES:
        _register(TTFont(name, io.BytesIO(_font(name, source, lacking))))
    pdfmetrics.registerFontFamily(REGULAR, REGULAR, BOLD, ITALIC, BOLD_ITALIC)


def _register(font: TTFont) -> None:
    if font.fontName in pdfmetrics.getRegisteredFontNames():
        # reportlab keeps the first font of a name: give it the new shapes
        known = pdfmetrics.getFont(font.fontName)
        known.face, known.encoding = font.face, font.encoding
    else:
        pdfmetrics.registerFont(font)


def _source(lacking: tuple[int, ...], font: str) -> str:
    """Find the font to take letters from; an empty text if none is needed."""
    if font and not Path(font).is_file():
        raise SettingsError(f"study.toml: report: font: there is no file {font}.")
    found = font or next((path for path in KNOWN if Path(path).is_file()), "")
    if not any(letter in IDEOGRAPHS for letter in lacking):
        return ""
    if not found:
        raise SettingsError(
            "the report has Chinese letters, and this machine no known font that has them. Install "
            "one (Debian: fonts-wqy-microhei), or name one under [report] in study.toml: font = "
            '"NAME.ttf".'
        )
    return found


@lru_cache(maxsize=4)
def _letters(name: str) -> frozenset[int]:
    return frozenset(OpenFont(_shipped(name)).getBestCmap())


def _shipped(name: str) -> Path:
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"


@lru_cache(maxsize=16)
def _font(name: str, source: str, lacking: tuple[int, ...]) -> bytes:
    """Give the file of a style, with the letters it lacks from another font."""
    if not source:
        return _shipped(name).read_bytes()
    ours = OpenFont(_shipped(name), recalcTimestamp=False)
    try:
        theirs = OpenFont(source, fontNumber=0, recalcTimestamp=False)
        known = theirs.getBestCmap() or {}
        if "glyf" not in theirs:
            raise SettingsError(f"{source} is no TrueType font: take one whose name ends in .ttf.")
    except (TTLibError, OSError) as error:
        raise SettingsError(f"{source} is no font that can be read ({error}).") from error
    parts = [_reduced(ours, set(ours.getBestCmap())), _reduced(theirs, set(known) & set(lacking))]
    scale_upem(parts[1], parts[0]["head"].unitsPerEm)
    made = Merger().merge([_saved(part) for part in parts])
    # no clock: equal texts give equal bytes
    made["head"].modified = made["head"].created = ours["head"].created
    made.recalcTimestamp = False
    return _saved(made).getvalue()


def _reduced(font: OpenFont, letters: set[int]) -> OpenFont:
    options = Options()
    options.layout_features, options.name_IDs = [], ["*"]
    options.notdef_outline, options.hinting = True, False
    options.drop_tables += list(DROPPED)
    reducer = Subsetter(options)
    reducer.populate(unicodes=letters)
    reducer.subset(font)
    return font


def _saved(font: OpenFont) -> io.BytesIO:
    buffer = io.BytesIO()
    font.save(buffer)
    buffer.seek(0)
    return buffer
