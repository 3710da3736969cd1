"""The head of the paper with the encoder's temporal layers tuned, all scores together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from emoclip_clinic.errors import ClinicError
from emoclip_clinic.regression.folds import grouped_folds
from emoclip_clinic.regression.frames import Layers

__all__ = ["EPOCHS", "RATES", "TunedHead"]

Array = NDArray[np.float64]
Embeddings = NDArray[np.float32]

EPOCHS = (3, 10, 30)
RATES = (0.0, 1e-5, 1e-4)
"""Learning rates of the temporal layers; at 0 they are frozen, which is the most cautious."""


class TunedHead(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Temporal layers and a head 512 -> 256 -> n (ReLU), trained together on windows.

    Scores are standardised within every training set, inner ones too, and so are the windows'
    embeddings as the encoder gives them. Learning rate and epochs are chosen by folds of whole
    participants, one pair for all targets by their mean error; where nothing is better than the
    training mean, the mean is the model. One training gives every number of epochs.

    Parameters
    ----------
    n_inner_folds
        Folds of participants; fewer where there are fewer participants.
    random_state
        Seed of the folds, the head's first weights and the order of windows.
    epochs, rates
        What is tried, the most cautious first. A rate is that of the temporal layers.
    penalty
        Of the head's squared weights.

    Attributes
    ----------
    squared_error_
        Mean squared error over the inner folds, shape (1 + n_candidates, n_targets), the mean's
        first; candidates are rate by rate. Infinite where training came to no finite number.
    chosen_
        What was chosen: "rate" and "epochs"; empty where it is the mean.
    targets_
        Those whose scores vary, which the network predicts.
    mean_, scale_
        What scores were standardised by.
    architecture_, weights_
        The network: dimensions of the encoder as JSON, and arrays by their names in `Network`.

    References
    ----------
    Foteinopoulou NM, Patras I. EmoCLIP. FG 2024, arXiv:2310.16640.
    """

    def __init__(
        self,
        n_inner_folds: int = 5,
        random_state: int = 0,
        epochs: tuple[int, ...] = EPOCHS,
        rates: tuple[float, ...] = RATES,
        penalty: float = 1.0,
    ) -> None:
        self.n_inner_folds = n_inner_folds
        self.random_state = random_state
        self.epochs = epochs
        self.rates = rates
        self.penalty = penalty

    @property
    def tuned_(self) -> list[dict[str, float | str]]:
        """What was chosen for each target."""
        own = dict(self.chosen_) or {"model": "the training mean"}
        varies = set(self.targets_.tolist())
        return [
            own if number in varies else {"model": "the training mean"}
            for number in range(len(self.mean_))
        ]

    def fit(self, X: NDArray[Any], y: Array, groups: NDArray[Any], layers: Layers | None) -> Self:
        """Tune and fit.

        Parameters
        ----------
        X
            A row a window: its frames' embeddings one after the other, then NaN (n, time x dim).
        y
            Scores (n, n_targets) without missing values.
        groups
            The participant of each window.
        layers
            The encoder's temporal layers.

        Raises
        ------
        ClinicError
            There are no layers to tune, or the rows are no frames of that encoder.
        """
        from emoclip_clinic.regression import network

        layers = _require(layers)
        y = np.asarray(y, dtype=np.float64).reshape(len(X), -1)
        check_consistent_length(X, groups)
        self.architecture_ = layers.architecture
        frames = _frames(X, layers.architecture)
        self.targets_ = np.flatnonzero(np.ptp(y, axis=0) > 0)
        with network.one_thread():
            self.squared_error_ = self._search(layers, frames, y, groups)
        self.mean_, self.scale_ = _centre(y)
        best = int((self.squared_error_ / self.scale_**2).mean(axis=1).argmin()) - 1
        self.chosen_: dict[str, float | str] = {}
        self.weights_: dict[str, Embeddings] = {}
        if best >= 0 and len(self.targets_):
            rate, n_epochs = list(product(self.rates, self.epochs))[best]
            self.chosen_ = {"rate": float(rate), "epochs": int(n_epochs)}
            self.weights_ = self._learnt(layers, frames, y, rate, n_epochs)
        return self

    def _learnt(
        self, layers: Layers, frames: Embeddings, y: Array, rate: float, n_epochs: int
    ) -> dict[str, Embeddings]:
        """Train on all windows by what was chosen; give the network's weights."""
        from emoclip_clinic.regression import network

        known = ((y - self.mean_) / self.scale_)[:, self.targets_]
        training = network.Training(rate, self.penalty, self.random_state)
        with network.one_thread():
            (trained,) = training.run(layers, frames, known, [n_epochs])
        return network.weights(trained)

    def predict(self, X: NDArray[Any]) -> Array:
        """Scores of windows, shape (n, n_targets).

        Raises
        ------
        ClinicError
            The rows are no frames of the encoder, or a score is not a finite number.
        """
        check_is_fitted(self, "mean_")
        frames = _frames(X, self.architecture_)
        predicted = np.tile(self.mean_, (len(X), 1))
        if self.weights_:
            from emoclip_clinic.regression import network

            made = network.restored(self.architecture_, self.weights_, len(self.targets_))
            with network.one_thread():
                # in double precision a window's score is the same whoever is predicted beside it
                found = network.predict(made.double(), frames)
            predicted[:, self.targets_] += found * self.scale_[self.targets_]
        if not np.isfinite(predicted).all():
            raise ClinicError(
                "the tuned layers came to a score that is not a finite number. Fit another model, "
                "such as head, whose layers are frozen."
            )
        return predicted

    def _search(self, layers: Layers, frames: Embeddings, y: Array, groups: NDArray[Any]) -> Array:
        errors = np.zeros((1 + len(self.rates) * len(self.epochs), y.shape[1]))
        for train, test in grouped_folds(groups, self.n_inner_folds, self.random_state):
            mean, scale = _centre(y[train])
            known, true = (y[train] - mean) / scale, y[test] - mean
            errors[0] += (true**2).sum(axis=0)
            # a score that a fold has only one value of is that value
            varies = np.flatnonzero(known.any(axis=0))
            tried = self._tried(layers, frames[train], known[:, varies], frames[test])
            for number, predicted in enumerate(tried, start=1):
                found = np.zeros(true.shape)
                found[:, varies] = predicted
                errors[number] += ((found * scale - true) ** 2).sum(axis=0)
        return np.where(np.isfinite(errors), errors, np.inf) / len(y)

    def _tried(
        self, layers: Layers, frames: Embeddings, y: Array, unseen: Embeddings
    ) -> Iterator[Array]:
        """Predict by every candidate, standardised, rate by rate."""
        from emoclip_clinic.regression import network

        for rate in self.rates:
            training = network.Training(rate, self.penalty, self.random_state)
            for trained in training.run(layers, frames, y, self.epochs):
                yield network.predict(trained, unseen)


def _require(layers: Layers | None) -> Layers:
    if layers is None or not layers.weights:
        raise ClinicError(
            "the encoder has no temporal layers that could be tuned (clip-mean has none). Use "
            "head, which is the same network on frozen embeddings, or another encoder."
        )
    return layers


def _frames(X: NDArray[Any], architecture: str) -> Embeddings:
    """Shape the rows as frames (n, time, dim), and check them."""
    from emoclip_clinic.encoder.architecture import Architecture

    encoder, X = Architecture.from_json(architecture), np.asarray(X, dtype=np.float32)
    n_frames, rest = divmod(X.shape[1], encoder.dim)
    if rest or not 0 < n_frames < encoder.positions:
        raise ClinicError(
            f"windows of {X.shape[1]} numbers are given; allowed is a multiple of the encoder's "
            f"{encoder.dim}, of at most {encoder.positions - 1} frames. Encode the recordings with "
            "the encoder that the model was fitted with, by 'emoclip-clinic encode --frames'."
        )
    frames = X.reshape(len(X), n_frames, encoder.dim)
    known = np.isfinite(frames)
    ordered = (np.diff(known.all(axis=2).astype(int), axis=1) <= 0).all()
    if not (known[:, 0].all() and ordered and (known.all(axis=2) == known.any(axis=2)).all()):
        raise ClinicError(
            "a window has no frame, or a value before its last frame is not a finite number. Run "
            "'emoclip-clinic encode --frames' again."
        )
    return frames


def _centre(y: Array) -> tuple[Array, Array]:
    """Mean and SD of each target; an SD of 1 where there is none."""
    spread = y.std(axis=0)
    return y.mean(axis=0), np.where(spread > 0, spread, 1.0)
