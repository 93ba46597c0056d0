"""A torch module as an exported model."""

import numpy as np
import torch
from torch import nn

from pam.deploy.about import About
from pam.deploy.model import Model


def model_of(module: nn.Module, about: About, details: str) -> Model:
    """Return a model that a torch module computes: images to task -> scores."""

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        with torch.inference_mode():
            scores = module(torch.from_numpy(images))
        return {task: score.numpy() for task, score in scores.items()}

    return Model(about, run, f"torch {torch.__version__}", details)
