"""A training loop as people write it: a DataLoader of float32 images, ``.item()`` in every step."""

from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from pam.data import MultitaskDataset, Split

Batch = tuple[Tensor, Tensor]


class Pictures(Dataset[Batch]):
    """Grey images that are decoded and normalised one by one, as torchvision's data sets are."""

    def __init__(self, data: MultitaskDataset, split: Split, task: str) -> None:
        self._pictures = [Image.fromarray(image.numpy()) for image in split.images[:, 0]]
        self._labels = data.task_labels(split, task).float()
        self._mean, self._std = data.mean[0], data.std[0]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Batch:
        pixels = torch.from_numpy(np.array(self._pictures[index])).float() / 255
        return ((pixels - self._mean) / self._std)[None], self._labels[index]


def tensors(data: MultitaskDataset, split: Split, task: str) -> TensorDataset:
    """Return a part of a data set as normalised float32 images and labels."""
    return TensorDataset(data.normalise(split.images), data.task_labels(split, task).float())


def optimiser_of(network: nn.Module, rate: float, fused: bool | None = None) -> torch.optim.SGD:
    """Return Nesterov SGD with torch's own defaults, unless it is to be fused."""
    return torch.optim.SGD(network.parameters(), lr=rate, momentum=0.9, nesterov=True, fused=fused)


def train_epoch(
    network: nn.Module,
    train: Dataset[Batch],
    validation: Dataset[Batch],
    *,
    batch_size: int,
    rate: float,
    workers: int,
) -> tuple[float, float]:
    """Train for an epoch; return the mean loss and the validation accuracy."""
    loader = DataLoader(train, batch_size, shuffle=True, num_workers=workers, drop_last=True)
    held_out = DataLoader(validation, batch_size, num_workers=workers)
    optimiser, criterion = optimiser_of(network, rate), nn.MSELoss()
    network.train()
    total = 0.0
    for images, labels in loader:
        optimiser.zero_grad()
        loss = criterion(network(images), labels)
        loss.backward()
        optimiser.step()
        total += loss.item()
    return total / len(loader), _accuracy(network, held_out)


def _accuracy(network: nn.Module, loader: Iterable[Batch]) -> float:
    network.eval()
    right = seen = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (network(images) * labels > 0).sum().item()
            seen += labels.numel()
    return right / seen


def bare_steps(network: nn.Module, batches: Iterable[Batch], rate: float) -> None:
    """Do nothing but forward, backward and step, on batches that lie in memory."""
    optimiser = optimiser_of(network, rate, fused=True)
    for images, labels in batches:
        optimiser.zero_grad()
        nn.functional.mse_loss(network(images), labels).backward()
        optimiser.step()
