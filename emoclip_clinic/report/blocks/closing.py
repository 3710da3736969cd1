"""The last pages: references, glossary, provenance, and texts of the template's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from reportlab.platypus import Flowable, Paragraph

from emoclip_clinic.report.context import Context, NoOptions, paragraph, plain
from emoclip_clinic.report.tables import Column, data_table
from emoclip_clinic.report.theme import STYLES

__all__ = ["OwnText", "glossary", "provenance", "references", "text"]


@dataclass(frozen=True)
class OwnText:
    """Words of the study's authors."""

    text: str = ""
    """Paragraphs, with an empty line between them; printed as they are."""


def references(context: Context, options: NoOptions) -> list[Flowable]:
    """Give the papers behind the methods, in alphabetical order."""
    data = context.data
    listed = list(context.texts.table("references").values())
    if data.scale_reference:
        listed.append(data.scale_reference)
    listed.sort(key=str.casefold)
    parts: list[Flowable] = [
        Paragraph(plain(line), STYLES["reference"], bulletText=f"{n}.")
        for n, line in enumerate(listed, 1)
    ]
    if data.scale_licence:
        parts.append(context.say("words.licence", "note", licence=data.scale_licence))
    return parts


def glossary(context: Context, options: NoOptions) -> list[Flowable]:
    """Explain the terms in a sentence each."""
    columns = [
        Column(context.texts("words.term"), 120, numeric=False),
        Column(context.texts("words.meaning"), numeric=False),
    ]
    rows = [
        [paragraph(entry["term"], "head"), entry["meaning"]]
        for entry in context.texts.entries("glossary")
    ]
    return data_table(context, None, columns, rows)


def provenance(context: Context, options: NoOptions) -> list[Flowable]:
    """Versions, settings and fingerprints of what was read."""
    data = context.data
    # the shipped template and protocols lie outside the study: their names are enough
    prints: dict[str, Any] = {
        PurePath(name).name if PurePath(name).is_absolute() else name: digest
        for name, digest in data.fingerprints.items()
    }
    if data.methods.encoder_fingerprint:
        name = context.texts("provenance.weights", encoder=data.methods.encoder)
        prints[name] = data.methods.encoder_fingerprint
    parts: list[Flowable] = [context.say("provenance.intro")]
    for key, table, style in (
        ("fingerprints", prints, "mono"),
        ("settings", data.methods.settings, "cell"),
        ("versions", data.methods.versions, "cell"),
    ):
        if table:
            parts += _two_columns(context, key, table, style)
    return parts


def _two_columns(
    context: Context, key: str, table: Mapping[str, Any], style: str
) -> list[Flowable]:
    columns = [
        Column(context.texts(f"provenance.{key}_name"), 170, numeric=False),
        Column(context.texts(f"provenance.{key}_value"), numeric=False),
    ]
    rows = [
        [name, paragraph(_shown(context, value), style)] for name, value in sorted(table.items())
    ]
    caption = context.caption("table", f"provenance.{key}")
    return data_table(context, caption, columns, rows)


def _shown(context: Context, value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_shown(context, each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    # where files lie may hold names of people
    return context.texts("provenance.path") if re.search(r"[/\\]", str(value)) else str(value)


def text(context: Context, options: OwnText) -> list[Flowable]:
    """Paragraphs that the template holds."""
    return [paragraph(part.strip()) for part in options.text.split("\n\n") if part.strip()]
