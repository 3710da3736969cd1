"""Where protocols/ and templates/ are: the study folder first, then what the package ships."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import ClinicError, SettingsError

__all__ = ["close_matches", "find", "names", "place", "read_toml"]

_PACKAGE = Path(__file__).parent
# an installed wheel holds them inside the package, a checkout beside it
_SHIPPED = _PACKAGE if (_PACKAGE / "protocols").is_dir() else _PACKAGE.parent


def _folders(kind: str, study: Path | None) -> list[Path]:
    roots = [_SHIPPED] if study is None else [study, _SHIPPED]
    return [root / kind for root in roots]


def names(kind: str, study: Path | None = None) -> list[str]:
    """List the TOML files of a kind ("protocols/scales", "templates"), sorted, without suffix."""
    found = {path.stem for folder in _folders(kind, study) for path in folder.glob("*.toml")}
    return sorted(found)


def find(kind: str, name: str, study: Path | None = None) -> Path:
    """Path of `<kind>/<name>.toml`; a study's own file comes before the shipped one.

    Raises
    ------
    ClinicError
        There is none; the message suggests the close names.
    """
    for folder in _folders(kind, study):
        path = folder / f"{name}.toml"
        if path.parent == folder and path.is_file():
            return path
    known = names(kind, study)
    raise ClinicError(
        f"there is no {kind}/{name}.toml. {close_matches(name, known)}Known: {', '.join(known)}."
    )


def close_matches(given: str, known: list[str]) -> str:
    """'Did you mean ...? ' for a misspelt word, or an empty string."""
    close = difflib.get_close_matches(given.lower(), known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(close)}? " if close else ""


def place(path: Path) -> str:
    """Name a TOML file for a message: by its path within the study, where it is of one's kinds."""
    parts = path.parts
    starts = [n for n, part in enumerate(parts[:-1]) if part in ("protocols", "templates")]
    return "/".join(parts[starts[-1] :]) if starts else path.name


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    SettingsError
        The file cannot be read or is not TOML; the message has the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        hint = _comma_hint(text, str(error))
        raise SettingsError(f"{place(path)} cannot be read: {error}{hint}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{place(path)} cannot be read: {error}") from error


def _comma_hint(text: str, message: str) -> str:
    """Say how a number is written, where the line that TOML stumbled over has a decimal comma."""
    line = re.search(r"at line (\d+)", message)
    number = line and re.search(r"(\d+),(\d+)", text.splitlines()[int(line[1]) - 1])
    return f". Numbers have a decimal point: {number[1]}.{number[2]}" if number else ""
