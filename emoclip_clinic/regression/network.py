"""The paper's network in torch: the encoder's temporal layers, and a head of 512 -> 256 -> n.

The head is made and trained as scikit-learn's MLPRegressor is (Glorot's start, Adam, L2 on the
weights), so that with the layers left alone it is the `head` of the other regressions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import gen_batches, shuffle
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from emoclip_clinic.encoder.architecture import Architecture
from emoclip_clinic.encoder.temporal import TemporalLayers
from emoclip_clinic.regression.frames import Layers

__all__ = ["Network", "Training", "one_thread", "predict", "restored", "weights"]

HIDDEN = 256
BATCH_WINDOWS = 32

Array = NDArray[np.float64]
Embeddings = NDArray[np.float32]


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread of the CPU: the same bits however many cores do the folds.

    For batches of this size more threads also wait for one another longer than they work.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Network(nn.Module):
    """Frames (n, time, dim), NaN after a window's last, to standardised scores (n, n_targets)."""

    def __init__(self, architecture: Architecture, n_targets: int) -> None:
        super().__init__()
        self.layers = TemporalLayers(architecture)
        self.centre = nn.Parameter(torch.zeros(architecture.dim), requires_grad=False)
        self.spread = nn.Parameter(torch.ones(architecture.dim), requires_grad=False)
        self.hidden = nn.Linear(architecture.dim, HIDDEN)
        self.out = nn.Linear(HIDDEN, n_targets)

    def embed(self, frames: torch.Tensor) -> torch.Tensor:
        """Windows by the temporal layers, each by the frames that it has: (n, dim)."""
        n_frames = frames.isfinite().all(dim=2).sum(dim=1)
        made = frames.new_zeros(len(frames), frames.shape[2])
        for length in sorted(set(n_frames.tolist())):
            rows = n_frames == length
            made[rows] = self.layers(frames[rows, :length])
        return made

    def head(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores of embedded windows."""
        hidden = self.hidden((embeddings - self.centre) / self.spread)
        scores: torch.Tensor = self.out(torch.relu(hidden))
        return scores


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    rate: float
    """Learning rate of the temporal layers; at 0 they are left alone. The head's is 0.001."""
    penalty: float
    """Of the head's squared weights, divided by the windows of a batch."""
    seed: int
    """Draws the head's first weights and the order of windows."""

    def run(
        self, layers: Layers, frames: Embeddings, y: Array, epochs: Sequence[int]
    ) -> Iterator[Network]:
        """Train from the encoder's layers, and give the network at each of these epochs.

        It is one network, which goes on to be trained: use it before you take the next.

        Parameters
        ----------
        layers
            The encoder's.
        frames, y
            Windows and their standardised scores (n_windows, n_targets).
        epochs
            Numbers of epochs, ascending.
        """
        random = np.random.RandomState(self.seed)
        network = _started(layers, frames, y.shape[1], random)
        step = self._stepper(network, frames, y)
        order = np.arange(len(y))
        for epoch in range(1, max(epochs) + 1):
            order = shuffle(order, random_state=random)
            for batch in gen_batches(len(y), BATCH_WINDOWS):
                step(order[batch])
            if epoch in epochs:
                yield network

    def _stepper(
        self, network: Network, frames: Embeddings, y: Array
    ) -> Callable[[NDArray[np.intp]], None]:
        """Make the function that learns from the windows at some positions."""
        heads = (network.hidden, network.out)
        network.layers.requires_grad_(self.rate > 0)
        optimizer = torch.optim.Adam([one for layer in heads for one in layer.parameters()])
        if self.rate > 0:
            layers = {"params": list(network.layers.parameters()), "lr": self.rate}
            optimizer.add_param_group(layers)
        known = torch.tensor(y, dtype=torch.float32, device=_device())
        # frozen layers give the same in every epoch
        fixed = None if self.rate > 0 else _embedded(network, frames)

        def step(rows: NDArray[np.intp]) -> None:
            with sdpa_kernel(SDPBackend.MATH):
                embedded = network.embed(_tensor(frames[rows])) if fixed is None else fixed[rows]
                loss = ((network.head(embedded) - known[rows]) ** 2).sum()
                loss = loss + self.penalty * sum((layer.weight**2).sum() for layer in heads)
                optimizer.zero_grad()
                torch.autograd.backward(loss / (2 * len(rows)))
            optimizer.step()

        return step


def _started(
    layers: Layers, frames: Embeddings, n_targets: int, random: np.random.RandomState
) -> Network:
    """Make a network whose layers are the encoder's, and whose head is drawn.

    Windows are standardised, before the head, by what the encoder's layers make of `frames`.
    """
    network = Network(Architecture.from_json(layers.architecture), n_targets)
    network.layers.load_state_dict(_tensors(layers.weights))
    network.to(_device())
    embedded = _embedded(network, frames)
    spread = embedded.std(dim=0, correction=0)
    network.centre.data = embedded.mean(dim=0)
    network.spread.data = torch.where(spread > 0, spread, 1.0)
    for layer in (network.hidden, network.out):
        bound = np.sqrt(6 / (layer.in_features + layer.out_features))
        drawn = random.uniform(-bound, bound, (layer.in_features, layer.out_features))
        layer.weight.data.copy_(torch.from_numpy(drawn.T))
        layer.bias.data.copy_(torch.from_numpy(random.uniform(-bound, bound, layer.out_features)))
    return network


def weights(network: Network) -> dict[str, Embeddings]:
    """Give all that a network has learnt, as `restored` takes it."""
    return {name: value.cpu().numpy().copy() for name, value in network.state_dict().items()}


def restored(architecture: str, learnt: Mapping[str, Embeddings], n_targets: int) -> Network:
    """Make a network again from the encoder's dimensions and what `weights` gave."""
    network = Network(Architecture.from_json(architecture), n_targets)
    network.load_state_dict(_tensors(learnt))
    return network.to(_device())


def _tensors(arrays: Mapping[str, Embeddings]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def predict(network: Network, frames: Embeddings) -> Array:
    """Standardised scores of windows, shape (n_windows, n_targets), as precise as the network."""
    with torch.inference_mode():
        return network.head(_embedded(network, frames)).double().cpu().numpy()


def _embedded(network: Network, frames: Embeddings) -> torch.Tensor:
    with torch.no_grad():
        parts = [
            network.embed(_tensor(frames[batch]).to(network.centre.dtype))
            for batch in gen_batches(len(frames), BATCH_WINDOWS)
        ]
    return torch.cat(parts)


def _tensor(frames: Embeddings) -> torch.Tensor:
    return torch.from_numpy(frames.copy()).to(_device())


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
