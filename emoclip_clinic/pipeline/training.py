"""train: EmoCLIP on captioned clips, from where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from emoclip_clinic import __version__, files
from emoclip_clinic.encoder import load_encoder
from emoclip_clinic.encoder.checkpoints import save_checkpoint, to_device
from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.locks import hold
from emoclip_clinic.pipeline._stage import Progress, StageResult, quiet
from emoclip_clinic.pipeline.embeddings import refuse_many
from emoclip_clinic.pipeline.examined import examine_clips
from emoclip_clinic.pipeline.frame_cache import CachedFrames
from emoclip_clinic.pipeline.stopping import asked_to_stop
from emoclip_clinic.pipeline.tensorboard import tensorboard
from emoclip_clinic.pipeline.trained import trained
from emoclip_clinic.pipeline.training_cost import tell_cost
from emoclip_clinic.pipeline.training_data import (
    Captioned,
    captioned,
    numbered,
    read_training,
)
from emoclip_clinic.pipeline.windows import looker, window_reader
from emoclip_clinic.scan import safe_id
from emoclip_clinic.study import digest
from emoclip_clinic.training.clips import Clips, FeatureClips, FrameClips, ReadWindow
from emoclip_clinic.training.prompts import PromptSet, find_prompts, read_prompts
from emoclip_clinic.training.ranks import Ranks, joined, local_device
from emoclip_clinic.training.recipe import Recipe, find_recipe, read_recipe
from emoclip_clinic.training.resuming import read_state, write_state
from emoclip_clinic.training.starting import starting_model, with_text_tower
from emoclip_clinic.training.trainer import (
    STEP_COLUMNS,
    VALIDATION_COLUMNS,
    Material,
    Step,
    Trainer,
)

__all__ = ["TrainingOptions", "Watch", "train"]

Watch = Callable[[Step], None]
"""Shown every step."""
STATE = "training.pt"
CPU_SHARE = 3
"""A step with gradients costs about three times its forward pass."""


@dataclass(frozen=True)
class TrainingOptions:
    """What of a training is not the recipe's."""

    fold: int | None = None
    """Of a dataset with folds."""
    recipe: str = "captions"
    """A file of protocols/encoding/training/, or its path."""
    leave_out: str | None = None
    """In place of the recipe's."""
    start: str | None = None
    """In place of the recipe's."""
    seed: int | None = None
    """In place of the recipe's."""
    output: Path | None = None
    """training/DATASET_RECIPE of the study if it is not given."""
    restart: bool = False
    """Whether to begin again where a training has stopped."""
    max_broken: float = 0.01
    """Share of the clips that may fail to decode."""
    save_minutes: float = 10.0
    """The state is written so often, and when the training is stopped."""
    threads: int = 2
    """That read clips ahead."""
    device: str = "auto"
    weights: Path | None = None
    """Folder of weights."""


def train(
    name: str,
    root: Path | None = None,
    *,
    study: Path = Path(),
    options: TrainingOptions = TrainingOptions(),  # frozen
    progress: Progress = quiet,
    say: Callable[[str], None] = lambda text: None,
    watch: Watch = lambda step: None,
) -> StageResult:
    """Train EmoCLIP on the clips of a dataset's split "train".

    Stopped at any moment, the same call goes on from the last state that was written, to the same
    weights. Started by `torchrun`, several processes share each batch.

    Parameters
    ----------
    name, root
        As for `emoclip_clinic.training.datasets.read_dataset`.
    study
        Where the results go, and where own recipes and descriptions are looked for.
    options
        How, and where to.
    progress, say, watch
        Told of clips, of what must be known before hours go by, and of each step.

    Raises
    ------
    DatasetError
        The dataset or fold is not there, a split leaks into another, or too many clips do not
        decode.
    SettingsError
        The recipe or the descriptions are wrong.
    EncoderError
        The weights to start with are missing or do not fit, the folder holds another training, or
        the loss is no longer a number.
    KeyboardInterrupt
        Somebody asked to stop, and all was saved.
    """
    recipe, label = _recipe(options, study)
    with joined() as ranks, asked_to_stop() as stopping:
        dataset, listed = read_training(name, root, options.fold)
        label = safe_id(f"{dataset.name}_{label}")
        folder = options.output or study / "training" / label
        files.make_folder(folder)
        with hold(folder, "train") if ranks.first else nullcontext():
            start = _start(recipe, options.weights, say)
            model = starting_model(recipe, start)
            work = _Work(folder, label, recipe, options, study, ranks, progress, say, start, model)
            data, left_out = work.data(listed)
            trainer = work.trainer(data)
            work.go_on(trainer, data)
            begun, last = trainer.step, time.monotonic()
            with work.shown(trainer) as note:
                for step in trainer.run():
                    watch(step)
                    note(step)
                    if step.validation and step.validation[-1]:
                        work.write_model(trainer)
                    stop = ranks.any(stopping.asked)
                    if stop or time.monotonic() - last >= 60 * options.save_minutes:
                        work.write_state(trainer)
                        last = time.monotonic()
                    if stop and step.number < step.n_steps:
                        raise KeyboardInterrupt
            if trainer.step > begun:
                work.write_state(trainer)
            if not trainer.validations:
                work.write_model(trainer)
            ranks.wait()
    left_out = pd.concat([dataset.exclusions, left_out], ignore_index=True)
    if ranks.first:
        files.write_csv(folder / "exclusions.csv", left_out)
        files.write_json(folder / "recipe.json", asdict(recipe))
    result = trained(trainer, work.model_path, left_out, dataset.notes)
    return replace(result, fresh=trainer.step == begun)


def _recipe(options: TrainingOptions, study: Path) -> tuple[Recipe, str]:
    path = find_recipe(options.recipe, study)
    given = {
        key: value
        for key in ("leave_out", "start", "seed")
        if (value := getattr(options, key)) is not None
    }
    recipe = replace(read_recipe(path), **given)
    apart = f"_without-{recipe.leave_out}" if recipe.leave_out else ""
    return recipe, f"{path.stem}{apart}"


@dataclass(eq=False)
class _Work:
    """One training in its folder."""

    folder: Path
    label: str
    recipe: Recipe
    options: TrainingOptions
    study: Path
    ranks: Ranks
    progress: Progress
    say: Callable[[str], None]
    start: VideoEncoder | None
    model: VideoEncoder
    key: dict[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def model_path(self) -> Path:
        """The trained encoder: the best so far."""
        return self.folder / f"{self.label}.safetensors"

    def data(self, listed: pd.DataFrame) -> tuple[Captioned, pd.DataFrame]:
        """Open the clips and pair them with texts."""
        if self.options.restart and self.ranks.first:
            for path in (self.folder / STATE, self.model_path):
                path.unlink(missing_ok=True)
        words = self._words()
        kept, left_out = captioned(listed, self.recipe, words)
        look = looker(self.recipe, self.model.image_size, self.options.weights)
        kept_at = self.folder / f"clips-{self.ranks.rank}.csv"
        seen = examine_clips(kept, look, kept_at, self.progress)
        lost = refuse_many(seen, list(seen["reason"]), self.options.max_broken, "train")
        usable = seen[seen["reason"] == ""].drop(columns="reason").reset_index(drop=True)
        return numbered(usable, self.recipe), pd.concat([left_out, lost], ignore_index=True)

    def trainer(self, data: Captioned) -> Trainer:
        """Load the model to its device, and make what trains it."""
        device = self.options.device
        if self.ranks.size > 1 and device == "auto":
            device = local_device()
        self.model = to_device(self.model, device)
        frames = dict(zip(data.clips["path"], data.clips["n_found"].astype(int), strict=True))
        read = window_reader(self.recipe, frames, self.model.image_size, self.options.weights)
        material = Material(
            self._clips(data, read),
            list(data.clips["clip"]),
            list(data.clips["label"]),
            data.texts,
            data.options,
            data.training,
            data.validation,
        )
        return Trainer(self.model, material, self.recipe, self.ranks)

    def go_on(self, trainer: Trainer, data: Captioned) -> None:
        """Take up the state that an earlier run has left."""
        self.key = {
            **_flat(asdict(self.recipe)),
            "clips and texts": digest(data.facts())[:16],
            "weights at the start": self.start.fingerprint[:16] if self.start else "none",
        }
        state = read_state(self.folder / STATE, self.key)
        if state is None:
            return
        trainer.restore(state)
        if 0 < trainer.step < trainer.n_steps:
            self.say(f"Goes on after step {trainer.step} of {trainer.n_steps}.")

    def shown(self, trainer: Trainer) -> AbstractContextManager[Watch]:
        """Open what writes for TensorBoard, in the first process."""
        if not self.ranks.first or trainer.step == trainer.n_steps:
            return nullcontext(lambda step: None)
        return tensorboard(self.folder / "tensorboard", trainer.step)

    def write_state(self, trainer: Trainer) -> None:
        """Write the state to go on from, and what was measured so far."""
        if not self.ranks.first:
            return
        write_state(self.folder / STATE, self.key, trainer.state())
        for name, columns, rows in (
            ("steps.csv", STEP_COLUMNS, trainer.rows),
            ("validation.csv", VALIDATION_COLUMNS, trainer.validations),
        ):
            table = pd.DataFrame(rows, columns=list(columns))
            whole = {one: int for one in ("epoch", "step", "best") if one in columns}
            files.write_csv(self.folder / name, table.astype(whole))

    def write_model(self, trainer: Trainer) -> None:
        """Write the encoder as it is now."""
        if not self.ranks.first:
            return
        self.model.name, self.model.notice = self.label, self.start.notice if self.start else ""
        measured = dict(zip(VALIDATION_COLUMNS, (trainer.validations or [()])[-1], strict=False))
        libraries = ("torch", "open_clip_torch", "numpy", "opencv-python-headless")
        save_checkpoint(
            self.model,
            self.model_path,
            {
                "recipe": self.recipe.to_json(),
                "trained_on": str(self.key["clips and texts"]),
                "n_clips": str(len(trainer.material.training)),
                "start": self.recipe.start or "nothing",
                "start_sha256": self.start.fingerprint if self.start else "",
                "step": f"{trainer.step} of {trainer.n_steps}",
                "validation": str(measured),
                "emoclip-clinic": __version__,
                **{one: version(one) for one in libraries},
            },
        )

    def _words(self) -> PromptSet | None:
        if self.recipe.texts == "captions":
            return None
        return read_prompts(find_prompts(self.recipe.prompts, self.study))

    def _clips(self, data: Captioned, read: ReadWindow) -> Clips:
        paths = [Path(path) for path in data.clips["path"]]
        n_frames = len(paths) * self.recipe.clips.n_frames
        if not self.recipe.caches_frames:
            tell_cost(self.model, n_frames * self.recipe.epochs * CPU_SHARE, self.say)
            return FrameClips(paths, read, self.model, self.recipe, self.options.threads)
        variants = 1 if self.recipe.augment.off else self.recipe.augment.variants
        tell_cost(self.model, n_frames * variants, self.say)
        kept = self.folder / "frames"
        parts = [
            CachedFrames(kept / name, [(int(one), paths[one]) for one in numbers], ways)
            for name, numbers, ways in (
                ("training", data.training, range(variants)),
                ("validation", data.validation, [-1]),
            )
        ]
        origin = f"{self.start.fingerprint if self.start else ''} {self.recipe.faces}"
        for part in parts:
            part.make(self.model, self.recipe, read, self.progress, self.ranks, origin)
        apart = set(data.validation.tolist())
        return FeatureClips(lambda clip, one: parts[clip in apart](clip, one))


def _start(recipe: Recipe, weights: Path | None, say: Callable[[str], None]) -> VideoEncoder | None:
    if not recipe.start:
        return None
    start = load_encoder(recipe.start, weights_dir=weights, device="cpu")
    if start.architecture.has_text:
        return start
    say(f"{start.name} has no text tower: that of {recipe.text_tower} takes its place.")
    return with_text_tower(
        start, load_encoder(recipe.text_tower, weights_dir=weights, device="cpu")
    )


def _flat(table: dict[str, object], before: str = "") -> dict[str, str | int | float | bool]:
    """Give a recipe's keys in one table: {"optimizer.name": "sgd"}."""
    flat: dict[str, str | int | float | bool] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[before + key] = value if isinstance(value, str | int | float) else str(value)
    return flat
