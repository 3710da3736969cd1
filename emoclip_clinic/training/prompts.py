"""Classes in words: what a clip is compared with when nothing was trained on its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from emoclip_clinic import resources
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.schema import build

__all__ = ["DESCRIPTIONS", "LABELS", "ClassWords", "PromptSet", "find_prompts", "read_prompts"]

KIND = "protocols/encoding/descriptions"
DESCRIPTIONS, LABELS = "descriptions", "labels"
PLACE = "{name}"


@dataclass(frozen=True)
class ClassWords:
    """One class."""

    texts: tuple[str, ...]
    """What the face does, in a sentence each."""
    name: str = ""
    """What stands for it in a label prompt; the class's id if it is empty."""


@dataclass(frozen=True)
class PromptSet:
    """A set of classes in words: a file of protocols/encoding/descriptions/."""

    classes: dict[str, ClassWords]
    """By the label that a dataset gives them."""
    title: str = ""
    """One line for the reader."""
    exploratory: bool = False
    """Whether results must be marked as exploratory."""
    templates: tuple[str, ...] = ()
    """Label prompts: sentences with {name} in place of the class's name."""
    neutral: tuple[str, ...] = ()
    """Sentences that say nothing of the expression."""

    def class_vectors(
        self, encoder: VideoEncoder, classes: Sequence[str], kind: str = DESCRIPTIONS
    ) -> torch.Tensor:
        """Embed classes, float32 (n_classes, dim), each of length 1.

        A class is the mean of its prompts' embeddings (each of length 1), of length 1 again; a
        compound class ("anger_disgust") the mean of its components, of length 1 again.

        Parameters
        ----------
        encoder
            With a text tower.
        classes
            Ids, or compounds of them joined by an underscore.
        kind
            "descriptions" or "labels".

        Raises
        ------
        SettingsError
            A class is not in the set, or there are no templates.
        EncoderError
            The encoder has no text tower.
        """
        parts = [self.parts(name) for name in classes]
        known = list(dict.fromkeys(part for one in parts for part in one))
        vectors = dict(zip(known, self._embed(encoder, known, kind), strict=True))
        mixed = [torch.stack([vectors[part] for part in one]).mean(dim=0) for one in parts]
        return functional.normalize(torch.stack(mixed), dim=-1)

    def parts(self, name: str) -> list[str]:
        """Split a class into the single ones that it is made of: mostly itself.

        Raises
        ------
        SettingsError
            One of them is not in the set.
        """
        parts = [name] if name in self.classes else name.split("_")
        unknown = [part for part in parts if part not in self.classes]
        if unknown:
            raise SettingsError(
                f"the descriptions have no class {unknown[0]!r}, which the clips have; they have "
                f"{', '.join(self.classes)}. Add [classes.{unknown[0]}] or choose other prompts."
            )
        return parts

    def prompts(self, name: str, kind: str = DESCRIPTIONS) -> tuple[str, ...]:
        """Give the sentences for a class."""
        if kind == DESCRIPTIONS:
            return self.classes[name].texts
        return tuple(template.replace(PLACE, self.shown(name)) for template in self.templates)

    def shown(self, name: str) -> str:
        """Name a class in words."""
        return self.classes[name].name or name.replace("_", " ")

    def _embed(self, encoder: VideoEncoder, names: Sequence[str], kind: str) -> torch.Tensor:
        if kind == LABELS and not self.templates:
            raise SettingsError("the descriptions have no templates, so there are no label prompts")
        sentences = [self.prompts(name, kind) for name in names]
        with torch.inference_mode():
            means = [
                functional.normalize(encoder.encode_text(one), dim=-1).mean(dim=0)
                for one in sentences
            ]
            return functional.normalize(torch.stack(means), dim=-1)


def find_prompts(name: str, study: Path | None = None) -> Path:
    """Find a file of protocols/encoding/descriptions/ by its name, or any file by its path.

    Raises
    ------
    ClinicError
        There is no such name.
    """
    return Path(name) if name.endswith(".toml") else resources.find(KIND, name, study)


def read_prompts(path: Path) -> PromptSet:
    """Read a set of descriptions.

    Raises
    ------
    SettingsError
        The file cannot be read, a key is unknown, a class has no sentence, a template no {name}.
    """
    problems: list[str] = []
    read = build(PromptSet, resources.read_toml(path), "", problems)
    if read is not None:
        problems += _problems(read)
    if read is None or problems:
        raise SettingsError(f"{resources.place(path)}: {'; '.join(problems)}.")
    return read


def _problems(prompts: PromptSet) -> list[str]:
    problems = [] if prompts.classes else ["no class; write [classes.ID] with texts"]
    for name, words in prompts.classes.items():
        if not words.texts or not all(text.strip() for text in words.texts):
            problems.append(f"classes.{name} has an empty text or none; write what the face does")
    problems += [
        f"the template {template!r} has no {PLACE}"
        for template in prompts.templates
        if PLACE not in template
    ]
    return problems
