"""The training itself: step by step, so that whoever runs it can save, show and stop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emoclip_clinic.encoder.model import PRECISIONS, VideoEncoder
from emoclip_clinic.errors import EncoderError, TooFewError
from emoclip_clinic.training.clips import Clip, Clips
from emoclip_clinic.training.contrastive import Part, backward, contrastive_loss
from emoclip_clinic.training.draws import batches, text_numbers, variant_number
from emoclip_clinic.training.optimizing import (
    learning_rate_factor,
    make_optimizer,
    set_learning_rate,
    weight_groups,
)
from emoclip_clinic.training.ranks import ALONE, Ranks
from emoclip_clinic.training.recipe import Recipe

__all__ = ["STEP_COLUMNS", "VALIDATION_COLUMNS", "Material", "Step", "Trainer"]

# CLIP's: a larger scale only sharpens what is already decided
LOGIT_SCALE_MAX = math.log(100)
LEAST_SCALE = 1.0
"""Where the gradient scaler of fp16 falls below it, numbers are not small but broken."""
TEXT_BATCH = 64
NAMED = 5

STEP_COLUMNS = ("epoch", "step", "loss", "learning_rate", "gradient_norm", "logit_scale")
"""epoch and step from 1; the learning rate is the temporal layers'; logit_scale multiplies the
cosines."""
VALIDATION_COLUMNS = ("epoch", "step", "loss", "recall", "best")
"""recall: share of the clips whose own text is the nearest of all; best: 1 where the weights were
kept."""

Row = tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Material:
    """What is trained on, in a fixed order: a clip is its number."""

    clips: Clips
    names: Sequence[str]
    """Of the clips, for messages."""
    labels: Sequence[str]
    """Class of each; empty where it has none."""
    texts: Sequence[str]
    """Every text, once."""
    options: Sequence[Sequence[int]]
    """The numbers of the texts that each clip may be paired with."""
    training: NDArray[np.int64]
    """Numbers of the clips to train on."""
    validation: NDArray[np.int64]
    """Numbers of the clips held out to choose the epoch; may be none."""


@dataclass(frozen=True)
class Step:
    """What a step did."""

    epoch: int
    number: int
    n_steps: int
    row: Row
    """`STEP_COLUMNS`."""
    validation: Row | None = None
    """`VALIDATION_COLUMNS`, after the last step of an epoch."""


class Trainer:
    """Trains a model in place.

    Parameters
    ----------
    model
        With a text tower, on its device.
    material
        What to train on; the same on every process.
    recipe
        How to train.
    ranks
        The processes; `batch_clips` are shared evenly.

    Raises
    ------
    TooFewError
        Fewer clips than a batch.
    EncoderError
        The model has no text tower, or the batch cannot be shared.
    """

    def __init__(
        self, model: VideoEncoder, material: Material, recipe: Recipe, ranks: Ranks = ALONE
    ) -> None:
        if len(material.training) < recipe.batch_clips:
            raise TooFewError(
                f"{len(material.training)} clips are there to train on, and batch_clips = "
                f"{recipe.batch_clips}; give more clips or a smaller batch_clips."
            )
        if recipe.batch_clips % ranks.size:
            raise EncoderError(
                f"batch_clips = {recipe.batch_clips} cannot be shared by {ranks.size} processes; "
                f"allowed: a multiple of {ranks.size}."
            )
        self.model, self.material, self.recipe, self.ranks = model, material, recipe, ranks
        self._labels = [material.labels[clip] for clip in material.training]
        groups = weight_groups(model, recipe.tune)
        model.requires_grad_(False)
        self.learned = {name: w for part in groups.values() for name, w in part.items()}
        for weight in self.learned.values():
            weight.requires_grad_(True)
        model.checkpoint_activations(recipe.checkpoint_activations)
        self.optimizer = make_optimizer(groups, recipe.optimizer, recipe.tune)
        kind = model.device.type
        self.scaler = torch.amp.GradScaler(kind, enabled=recipe.precision == "fp16")
        self._autocast = partial(
            torch.autocast, kind, PRECISIONS[recipe.precision], enabled=recipe.precision != "fp32"
        )
        self._embedded_texts = None if recipe.tune.text else self._embed_texts()
        self.step = 0
        self.best: float | None = None
        self.rows: list[Row] = []
        self.validations: list[Row] = []

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(batches(self._labels, 1, self.recipe))

    @property
    def n_steps(self) -> int:
        """Steps of the whole training."""
        return self.recipe.epochs * self.steps_per_epoch

    def run(self) -> Iterator[Step]:
        """Train from where it stands to the end; whoever stops asking stops it, after a whole step.

        Raises
        ------
        EncoderError
            The loss or its gradient is no longer a number: the message names the step; the weights
            are still those before it.
        RecordingError
            A clip can no longer be read.
        """
        per_epoch, total = self.steps_per_epoch, self.n_steps
        order: NDArray[np.int64] = np.empty((0, 0), dtype=np.int64)
        while self.step < total:
            epoch, place = divmod(self.step, per_epoch)
            if place == 0 or not order.size:
                order = self.material.training[batches(self._labels, epoch + 1, self.recipe)]
            factor = learning_rate_factor(self.recipe.schedule, self.step, per_epoch, total)
            set_learning_rate(self.optimizer, factor)
            row = self._learn(order[place], epoch + 1)
            self.step += 1
            self.rows.append(row)
            checked = self._validate(epoch + 1) if place + 1 == per_epoch else None
            yield Step(epoch + 1, self.step, total, row, checked)

    def state(self) -> dict[str, Any]:
        """Give everything that `restore` needs to go on as if nothing had happened."""
        return {
            "step": self.step,
            "best": self.best,
            "rows": self.rows,
            "validations": self.validations,
            "weights": {name: weight.detach() for name, weight in self.learned.items()},
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.step, self.best = state["step"], state["best"]
        self.rows = [tuple(row) for row in state["rows"]]
        self.validations = [tuple(row) for row in state["validations"]]
        with torch.no_grad():
            for name, weight in self.learned.items():
                weight.copy_(state["weights"][name])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])

    def _learn(self, batch: NDArray[np.int64], epoch: int) -> Row:
        recipe, model = self.recipe, self.model
        texts = text_numbers(batch, epoch, self.material.options, recipe.seed)
        clips = [
            (clip, variant_number(clip, epoch, recipe.augment, recipe.seed))
            for clip in batch.tolist()
        ]
        own = list(self.ranks.own(clips))
        self.material.clips.announce(own)
        model.train()
        self.optimizer.zero_grad()
        loss = backward(
            self._video_parts(own),
            self._text_parts(self.ranks.own(texts)),
            model.similarity,
            texts if recipe.same_text_is_pair else None,
            scale=self.scaler.scale,
            ranks=self.ranks,
        ).item()
        scale = model.logit_scale
        self.ranks.add_gradients(w for w in self.learned.values() if w is not scale)
        self.scaler.unscale_(self.optimizer)
        gradients = [w.grad for w in self.learned.values() if w.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        self._check(loss, norm, own)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        with torch.no_grad():
            scale.clamp_(max=LOGIT_SCALE_MAX)
        rate = self.optimizer.param_groups[0]["lr"]
        return (epoch, self.step + 1, loss, rate, norm, scale.exp().item())

    def _video_parts(self, clips: Sequence[Clip]) -> list[Part]:
        size = self.recipe.chunk_clips
        chunks = [clips[start : start + size] for start in range(0, len(clips), size)]
        return [partial(self._embed_clips, chunk) for chunk in chunks]

    def _text_parts(self, numbers: Sequence[int]) -> list[Part]:
        if self._embedded_texts is not None:
            rows = self._embedded_texts[list(numbers)]
            return [lambda: rows]
        # as bounded as clips: a text tower's activations are not small either
        size = self.recipe.chunk_clips
        chunks = [numbers[start : start + size] for start in range(0, len(numbers), size)]
        return [partial(self._encode_texts, chunk) for chunk in chunks]

    def _embed_clips(self, clips: Sequence[Clip]) -> torch.Tensor:
        inputs = self.material.clips.tensor(clips).to(self.model.device)
        encode = self.model.encode_video if inputs.ndim == 5 else self.model.encode_temporal
        with self._autocast():
            return encode(inputs)

    def _encode_texts(self, numbers: Sequence[int]) -> torch.Tensor:
        with self._autocast():
            return self.model.encode_text([self.material.texts[number] for number in numbers])

    def _embed_texts(self) -> torch.Tensor:
        """Embed every text with a tower that does not learn, in fp32."""
        texts = self.material.texts
        with torch.no_grad():
            parts = [
                self.model.encode_text(texts[start : start + TEXT_BATCH])
                for start in range(0, len(texts), TEXT_BATCH)
            ]
        return torch.cat(parts)

    def _check(self, loss: float, norm: float, clips: Sequence[Clip]) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        # in fp16 a gradient may be too large now and then: its step is left out, and scaled less
        if (
            math.isfinite(loss)
            and self.scaler.is_enabled()
            and self.scaler.get_scale() > LEAST_SCALE
        ):
            return
        self.optimizer.zero_grad()
        what = "the gradient" if math.isfinite(loss) else f"the loss ({loss})"
        rate = self.optimizer.param_groups[0]["lr"]
        raise EncoderError(
            f"{what} is no longer a number at step {self.step + 1} of {self.n_steps}, so the "
            f"training stopped; the weights were not changed by it. {self._broken(clips)} The "
            f"learning rate was {rate:.3g}: use a lower one, or check these clips."
        )

    def _broken(self, clips: Sequence[Clip]) -> str:
        with torch.no_grad():
            broken = [
                self.material.names[clip[0]]
                for clip in clips
                if not torch.isfinite(self._embed_clips([clip])).all()
            ]
        if not broken:
            return "Every clip of the batch has an embedding by itself."
        shown = ", ".join(broken[:NAMED])
        return f"{len(broken)} of the batch's {len(clips)} clips have no finite embedding: {shown}."

    def _validate(self, epoch: int) -> Row | None:
        """Measure the clips held out, with every process; note whether they are best so far."""
        clips = self.material.validation
        if not len(clips):
            return None
        texts = text_numbers(clips, 0, self.material.options, self.recipe.seed)
        videos, known = self._validation_videos(clips), sorted(set(texts))
        with torch.no_grad():
            embedded = torch.cat([part().float() for part in self._text_parts(known)])
            logits = self.model.similarity(videos, embedded)
            places = torch.tensor([known.index(number) for number in texts], device=logits.device)
            recall = (logits.argmax(dim=1) == places).double().mean().item()
            numbers = texts if self.recipe.same_text_is_pair else None
            loss = contrastive_loss(logits[:, places], numbers).item()
        measured = -loss if self.recipe.validation.best_by == "loss" else recall
        best = self.best is None or measured > self.best
        if best:
            self.best = measured
        row = (epoch, self.step, loss, recall, float(best))
        self.validations.append(row)
        return row

    def _validation_videos(self, clips: NDArray[np.int64]) -> torch.Tensor:
        self.model.eval()
        each = math.ceil(len(clips) / self.ranks.size)
        # as many to each process: the first stand in at the end
        shared = np.resize(clips, each * self.ranks.size).tolist()
        own = [(clip, -1) for clip in self.ranks.own(shared)]
        self.material.clips.announce(own)
        with torch.no_grad():
            videos = torch.cat([part().float() for part in self._video_parts(own)])
        return self.ranks.join(videos)[: len(clips)]
