"""Read a rating sheet of whatever kind, with the dictionary that lies beside it."""

from __future__ import annotations

from pathlib import Path

from emoclip_clinic.errors import RatingsError
from emoclip_clinic.item_names import ItemNames
from emoclip_clinic.ratings_files import bids, excel, redcap, spss
from emoclip_clinic.scale import Scale
from emoclip_clinic.settings import RatingsSettings
from emoclip_clinic.sheets import Sheet, read_sheet

__all__ = ["read", "sidecars"]

EXCEL = (".xlsx", ".xlsm")
SPSS = (".sav", ".zsav", ".por")
CURES = {
    ".xls": "Open it and save it as .xlsx",
    ".xlsb": "Open it and save it as .xlsx",
    ".ods": "Open it and save it as .xlsx",
    ".numbers": "Export it as .xlsx",
    ".sas7bdat": "Export it as CSV (UTF-8) or .sav",
    ".dta": "Export it as CSV (UTF-8) or .sav",
    ".rds": "Write it with write.csv or haven::write_sav",
    ".pdf": "Type the ratings into the sheet that 'emoclip-clinic ratings template' makes",
}
"""Files that are not read, and what to do with them."""


def read(path: Path, scale: Scale, settings: RatingsSettings, folder: Path) -> Sheet:
    """Read a rating sheet: CSV or TSV, Excel, SPSS; a REDCap export; BIDS with its JSON.

    Parameters
    ----------
    path
        The file; its suffix says what it is.
    scale
        The scale that is asked for: the sheet of a workbook, or the rows of a REDCap export, that
        hold it are read.
    settings
        Sheet, header row, dictionary.
    folder
        Where the paths of `settings` begin.

    Raises
    ------
    RatingsError
        The file cannot be read, or is of a kind that is not; the message names the cure.
    """
    kind = path.suffix.lower()
    names = ItemNames(scale)
    if kind in CURES:
        raise RatingsError(f"{path.name}: files of this kind are not read. {CURES[kind]}.")
    if kind in EXCEL:
        sheet = excel.read(path, names, settings)
    elif kind in SPSS:
        sheet = spss.read(path)
    else:
        sheet = bids.describe(read_sheet(path, settings.header_row), path)
    if redcap.is_export(sheet) or settings.dictionary:
        dictionary = folder / settings.dictionary if settings.dictionary else None
        return redcap.read(sheet, dictionary, names, settings)
    return sheet


def sidecars(path: Path) -> list[Path]:
    """List the files beside a rating sheet that are read with it."""
    beside = bids.sidecar(path)
    return [beside] if path.suffix.lower() == ".tsv" and beside.is_file() else []
