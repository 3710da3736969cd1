"""Training recipes: files of protocols/encoding/training/."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emoclip_clinic import resources
from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.errors import SettingsError
from emoclip_clinic.schema import build
from emoclip_clinic.training.zeroshot import Sampling

__all__ = [
    "Augmentation", "Optimizer", "Recipe", "Schedule", "Tuning", "Validation", "find_recipe",
    "read_recipe",
]  # fmt: skip

KIND = "protocols/encoding/training"


@dataclass(frozen=True)
class Tuning:
    """Which of CLIP's towers learn, at a learning rate relative to the temporal layers'."""

    text: float = 0.0
    """0: the text tower is frozen, and each text is embedded once."""
    image: float = 0.0
    """0: the image tower is frozen, and each frame is embedded once."""


@dataclass(frozen=True)
class Optimizer:
    """How weights follow their gradients."""

    name: str = "sgd"
    """sgd or adamw."""
    learning_rate: float = 1e-3
    """Of the temporal layers, at its highest."""
    weight_decay: float = 5e-4
    momentum: float = 0.9
    """Of sgd."""
    epsilon: float = 1e-6
    """Of adamw."""


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes."""

    name: str = "steps"
    """steps (times `gamma` after each milestone) or cosine (down to 0 at the end)."""
    milestones: tuple[int, ...] = (15, 35, 50)
    """Epochs after which the rate falls."""
    gamma: float = 0.1
    warm_up: float = 0.0
    """Share of all steps in which the rate rises to its highest."""


@dataclass(frozen=True)
class Augmentation:
    """How a clip differs from one epoch to the next; all frames of a clip alike."""

    rotation_deg: float = 0.0
    """A clip is turned by an angle of at most so much to either side."""
    flip: bool = False
    """Half of the clips are mirrored."""
    random_start: bool = False
    """A clip's window starts anywhere; without it, the window is at the centre."""
    variants: int = 0
    """So many variants of each clip are drawn once, and an epoch takes one of them: with a frozen
    image tower they are embedded once. 0: a new one each epoch."""

    @property
    def off(self) -> bool:
        """Whether every epoch sees the same frames."""
        return not (self.rotation_deg or self.flip or self.random_start)


@dataclass(frozen=True)
class Validation:
    """Clips that are held out of the training to choose the epoch."""

    share: float = 0.1
    """Of the training participants (of the clips, where no participant is named); not used where a
    manifest has a split "validation". 0 without such a split: the last epoch is kept."""
    best_by: str = "loss"
    """loss, or recall (share of clips whose own text is the nearest of all)."""


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the paper's for sample-level descriptions."""

    title: str = ""
    """One line for the reader."""
    texts: str = "captions"
    """captions (of each clip) or classes (a description of its class)."""
    prompts: str = "emotions"
    """Descriptions of the classes, a file of protocols/encoding/descriptions/."""
    leave_out: str = ""
    """A class whose clips are not trained on, nor compounds of it."""
    start: str = "clip-mean"
    """Weights to begin with: clip-mean (CLIP's own), emoclip, emoclip-demo or the path of a
    checkpoint; empty: from nothing."""
    text_tower: str = "clip-mean"
    """Whose text tower is taken where `start` has none, as EmoCLIP's released weights."""
    architecture: Architecture | None = None
    """Dimensions; of a `start` without temporal layers, only theirs. Absent: the reference's."""
    embedding_scale: float = 1.0
    """From nothing only: token and position embeddings of the text tower start so much larger."""
    epochs: int = 30
    batch_clips: int = 128
    """Clips that are told apart in a step, over all processes."""
    chunk_clips: int = 8
    """Clips, or texts, whose activations are in memory at once."""
    same_text_is_pair: bool = False
    """Whether clips of a batch with one text all count as its pairs; else only a clip's own."""
    oversample: bool = False
    """Whether each class is repeated until it is as frequent as the largest."""
    precision: str = "fp32"
    """fp32, bf16 or fp16, of the arithmetic; weights and their updates are fp32 always."""
    checkpoint_activations: bool = False
    """Whether activations are computed again instead of kept: slower, in less memory."""
    seed: int = 1
    """Of the order, the variants, the clips held out, and weights that begin at random."""
    faces: str = "none"
    """none (clips are face crops already), or how faces are found in whole frames: yunet or haar;
    the largest is cut out as when recordings are encoded."""
    clips: Sampling = field(default_factory=Sampling)
    """Which frames of a clip."""
    tune: Tuning = Tuning()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    augment: Augmentation = Augmentation()
    validation: Validation = Validation()

    @property
    def caches_frames(self) -> bool:
        """Whether frames are embedded once for all epochs."""
        return not self.tune.image and (self.augment.off or self.augment.variants > 0)

    def to_json(self) -> str:
        """Every key, as a line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def find_recipe(name: str, study: Path | None = None) -> Path:
    """Find a file of protocols/encoding/training/ by its name, or any file by its path.

    Raises
    ------
    ClinicError
        There is no such name.
    """
    return Path(name) if name.endswith(".toml") else resources.find(KIND, name, study)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    SettingsError
        The file cannot be read, a key is unknown, or a value is not allowed; all are listed.
    """
    problems: list[str] = []
    recipe = build(Recipe, resources.read_toml(path), "", problems)
    if recipe is not None:
        problems += _problems(recipe)
    if recipe is None or problems:
        raise SettingsError(f"{resources.place(path)}: {'; '.join(problems)}.")
    return recipe


def _problems(recipe: Recipe) -> Iterator[str]:
    words = {
        "texts": (recipe.texts, ("captions", "classes")),
        "faces": (recipe.faces, ("none", "yunet", "haar")),
        "precision": (recipe.precision, ("fp32", "bf16", "fp16")),
        "optimizer.name": (recipe.optimizer.name, ("sgd", "adamw")),
        "schedule.name": (recipe.schedule.name, ("steps", "cosine")),
        "validation.best_by": (recipe.validation.best_by, ("loss", "recall")),
    }
    for key, (given, allowed) in words.items():
        if given not in allowed:
            yield f"{key} = {given!r}; allowed: {', '.join(allowed)}"
    least = {
        "epochs": (recipe.epochs, 1),
        "batch_clips": (recipe.batch_clips, 2),
        "chunk_clips": (recipe.chunk_clips, 1),
        "seed": (recipe.seed, 1),
        "augment.variants": (recipe.augment.variants, 0),
        "augment.rotation_deg": (recipe.augment.rotation_deg, 0),
        "tune.text": (recipe.tune.text, 0),
        "tune.image": (recipe.tune.image, 0),
        "optimizer.weight_decay": (recipe.optimizer.weight_decay, 0),
    }
    for key, (number, lowest) in least.items():
        if not number >= lowest:
            yield f"{key} = {number}; allowed: {lowest} or more"
    above = {
        "optimizer.learning_rate": recipe.optimizer.learning_rate,
        "optimizer.epsilon": recipe.optimizer.epsilon,
        "schedule.gamma": recipe.schedule.gamma,
        "embedding_scale": recipe.embedding_scale,
    }
    for key, value in above.items():
        if not value > 0:
            yield f"{key} = {value}; allowed: above 0"
    shares = {
        "schedule.warm_up": recipe.schedule.warm_up,
        "validation.share": recipe.validation.share,
        "optimizer.momentum": recipe.optimizer.momentum,
    }
    for key, share in shares.items():
        if not 0 <= share < 1:
            yield f"{key} = {share}; allowed: from 0 to below 1"
    if recipe.clips.n_windows != 1:
        yield f"clips.n_windows = {recipe.clips.n_windows}; allowed: 1, training sees one window"
    if not recipe.start and not (recipe.tune.text and recipe.tune.image):
        yield 'start = "" begins from nothing: tune.text and tune.image must be above 0'
