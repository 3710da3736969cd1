"""Which weights learn, by which rule, and how fast at which step."""

from __future__ import annotations

import math

import torch

from emoclip_clinic.encoder.model import VideoEncoder
from emoclip_clinic.training.recipe import Optimizer, Schedule, Tuning

__all__ = ["learning_rate_factor", "make_optimizer", "set_learning_rate", "weight_groups"]

TEMPORAL, TEXT, IMAGE = "temporal", "text", "image"


def weight_groups(model: VideoEncoder, tune: Tuning) -> dict[str, dict[str, torch.nn.Parameter]]:
    """Give the weights that learn, by tower ("temporal", "text", "image") and name.

    The learned scale of the similarities is with the temporal layers. CLIP's own scale, which
    nothing uses, is in none.
    """
    groups: dict[str, dict[str, torch.nn.Parameter]] = {TEMPORAL: {}, TEXT: {}, IMAGE: {}}
    for name, weight in model.named_parameters():
        if name == "backbone.logit_scale":
            continue
        image, text = name.startswith("backbone.visual."), name.startswith("backbone.")
        groups[IMAGE if image else TEXT if text else TEMPORAL][name] = weight
    rates = {TEMPORAL: 1.0, TEXT: tune.text, IMAGE: tune.image}
    return {tower: weights for tower, weights in groups.items() if weights and rates[tower]}


def make_optimizer(
    groups: dict[str, dict[str, torch.nn.Parameter]], rule: Optimizer, tune: Tuning
) -> torch.optim.Optimizer:
    """Make the optimiser; each group's "highest" is its learning rate before the schedule."""
    rates = {TEMPORAL: 1.0, TEXT: tune.text, IMAGE: tune.image}
    tables = [
        {"params": list(weights.values()), "highest": rule.learning_rate * rates[tower]}
        for tower, weights in groups.items()
    ]
    if rule.name == "sgd":
        return torch.optim.SGD(
            tables, rule.learning_rate, momentum=rule.momentum, weight_decay=rule.weight_decay
        )
    return torch.optim.AdamW(
        tables, rule.learning_rate, eps=rule.epsilon, weight_decay=rule.weight_decay
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's rate to its highest times a factor."""
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * factor


def learning_rate_factor(schedule: Schedule, step: int, steps_per_epoch: int, steps: int) -> float:
    """Give the learning rate of a step, relative to its highest.

    Parameters
    ----------
    schedule
        steps: gamma to the power of the milestones passed; cosine: (1 + cos(pi t)) / 2 with t from
        0 to 1 after the warm-up (Loshchilov and Hutter, "SGDR", ICLR 2017). In the warm-up the rate
        rises in equal steps to the highest.
    step
        From 0.
    steps_per_epoch, steps
        How many there are.
    """
    warm_up = round(schedule.warm_up * steps)
    if step < warm_up:
        return (step + 1) / warm_up
    if schedule.name == "steps":
        passed = sum(step // steps_per_epoch >= epoch for epoch in schedule.milestones)
        return float(schedule.gamma**passed)
    after = (step - warm_up) / max(1, steps - warm_up)
    return 0.5 * (1 + math.cos(math.pi * after))
