"""The fixed words of a report, from templates/languages/<language>.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoclip_clinic.errors import SettingsError
from emoclip_clinic.resources import find, names, read_toml

__all__ = ["LANGUAGES", "Texts", "read_texts"]

LANGUAGES = "templates/languages"


@dataclass(frozen=True)
class Texts:
    """Sentences with places for values, by dotted keys ("verdict.open")."""

    language: str
    """ISO 639 code, also the name of the file."""
    words: Mapping[str, Any]
    """The tables of the file."""

    def __call__(self, key: str, **values: Any) -> str:
        """Give the sentence of `key` with its values filled in.

        Raises
        ------
        SettingsError
            The file has no such sentence, or the sentence has a place that nothing fills.
        """
        sentence = self._find(key)
        try:
            return str(sentence).format(**values)
        except (KeyError, IndexError, ValueError) as error:
            allowed = ", ".join(f"{{{name}}}" for name in values) or "none"
            raise SettingsError(
                f"{LANGUAGES}/{self.language}.toml: {key} cannot be filled ({error}); "
                f"places it may have: {allowed}."
            ) from error

    def table(self, key: str) -> Mapping[str, str]:
        """Give all entries below `key`, in the order of the file."""
        return dict(self._find(key))

    def entries(self, key: str) -> list[Mapping[str, str]]:
        """Give the list of tables at `key`."""
        return list(self._find(key))

    def word(self, key: str, name: str) -> str:
        """Give the entry `name` below `key`, or `name` itself where there is none."""
        return str(self._find(key).get(name, name.replace("_", " ")))

    def _find(self, key: str) -> Any:
        found: Any = self.words
        for part in key.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise SettingsError(
                    f"{LANGUAGES}/{self.language}.toml lacks {key!r}; copy it from en.toml."
                )
            found = found[part]
        return found


def read_texts(language: str = "en", study: Path | None = None) -> Texts:
    """Read a language's file; the study's own `templates/languages/` comes first.

    Raises
    ------
    SettingsError
        There is no such language; the message names those there are.
    """
    known = names(LANGUAGES, study)
    if language not in known:
        raise SettingsError(f"language = {language!r}; allowed: {', '.join(known)}")
    return Texts(language, read_toml(find(LANGUAGES, language, study)))
