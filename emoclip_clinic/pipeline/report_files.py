"""What `report` writes beside the PDF: tables for a spreadsheet, and for a manuscript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from emoclip_clinic import files
from emoclip_clinic.report import ReportData, Template
from emoclip_clinic.report.exports import DICTIONARY, csv_with_bom, dictionary, exported
from emoclip_clinic.report.printed import Printed
from emoclip_clinic.report.word import word_file
from emoclip_clinic.resources import find, read_toml

__all__ = ["write_tables"]


def write_tables(
    target: Path, data: ReportData, template: Template, printed: Sequence[Printed], study: Path
) -> list[Path]:
    """Write the tables beside the PDF `target`; give the files.

    `<name>_tables/*.csv` hold every table at full precision, with data_dictionary.csv;
    `<name>_tables.docx` holds the tables as they are printed.
    """
    folder = target.with_name(f"{target.stem}_tables")
    tables = exported(data)
    kind, name = DICTIONARY.removesuffix(".toml").rsplit("/", 1)
    meanings = read_toml(find(kind, name, study))["columns"]
    tables["data_dictionary"] = dictionary(tables, meanings)
    paths = {folder / f"{name}.csv": csv_with_bom(table) for name, table in tables.items()}
    for old in set(folder.glob("*.csv")) - set(paths):
        old.unlink()
    paths[target.with_name(f"{target.stem}_tables.docx")] = word_file(
        printed,
        title=f"{data.title}: {data.scale_name}",
        use=template.texts("page.use"),
        language=template.texts.language,
        author=data.institution,
    )
    for path, content in paths.items():
        files.write_bytes(path, content)
    return list(paths)
