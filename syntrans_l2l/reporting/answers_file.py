"""What a program of somebody else says of exported episodes, read from its files."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from syntrans_l2l.array_file import as_labels
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.reporting.records import percent

_TOLERANCE = 0.06  # points; accuracies may be printed with one decimal


def read_answers(path: Path, episodes: Episodes) -> Tensor:
    """Which of the N ways each query is taken for, [E, N * Q].

    Args:
        path: answers [E, N * Q] from 0 to N - 1, or logits [E, N * Q, N], as .npy, .npz or .csv
            (one episode a line, answers only).
        episodes: what was answered.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it does not fit the episodes; the message says what would.
    """
    values = _read(path)
    count, queries, ways = len(episodes), episodes.ways * episodes.queries, episodes.ways
    if list(values.shape) not in ([count, queries], [count, queries, ways]):
        raise ValueError(
            f"{path}: there are {count} episodes of {queries} queries and {ways} ways, so answers "
            f"are [{count}, {queries}] and logits [{count}, {queries}, {ways}], "
            f"got {list(values.shape)}"
        )
    if values.ndim == 3:
        if not values.isfinite().all():
            raise ValueError(f"{path}: logits hold NaN or infinity")
        return values.argmax(-1)
    said = as_labels(values.flatten(), f"{path}: answers").view(values.shape)
    if not 0 <= int(said.min()) <= int(said.max()) < ways:
        raise ValueError(
            f"{path}: answers are ways of their episode, 0 to {ways - 1}, got {int(said.min())} "
            f"to {int(said.max())}"
        )
    return said


def read_episode_accuracies(path: Path, episodes: Episodes) -> Tensor:
    """The accuracy of each episode in percent, [E] float64, as the count that it stands for.

    Args:
        path: [E] in percent, as .npy, .npz or .csv (one a line).
        episodes: what was answered.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: they do not fit the episodes.
    """
    values = _read(path).double()
    count, queries = len(episodes), episodes.ways * episodes.queries
    if values.numel() != count or values.numel() != max(values.shape):
        raise ValueError(
            f"{path}: there are {count} episodes, so accuracies are [{count}], "
            f"got {list(values.shape)}"
        )
    values = values.flatten()
    if not values.isfinite().all() or not 0 <= values.min() <= values.max() <= 100:
        raise ValueError(f"{path}: accuracies are percent, 0 to 100")
    right = (values * queries / 100).round()
    accuracies = percent(right, queries)
    if (accuracies - values).abs().max() > _TOLERANCE:
        raise ValueError(
            f"{path}: no accuracy over {queries} queries is "
            f"{values[(accuracies - values).abs().argmax()]:g}; give percent right of all "
            f"{queries} queries of an episode, not fractions"
        )
    return accuracies


def _read(path: Path) -> Tensor:
    """The numbers of a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; name an .npy, .npz or .csv")
    try:
        if path.suffix == ".csv":
            array = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8")
        else:
            array = np.load(path, allow_pickle=False)
            if not isinstance(array, np.ndarray):
                with array as file:
                    if len(file.files) != 1:
                        raise ValueError(f"it holds {file.files}, one array is expected")
                    array = file[file.files[0]]
        return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))
    except Exception as error:  # a damaged file leads numpy to errors of any type
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
