"""Records that no model has made, through the store that real ones go through."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from syntrans_l2l.evaluation.statistics import mean_ci95
from syntrans_l2l.reporting.identity import PARTS
from syntrans_l2l.reporting.records import Record, RecordStore, percent

WAYS, QUERIES, CLASSES = 5, 15, 20
NAMES = [f"novel_class_{letter}" for letter in "abcdefghijklmnopqrst"]


def right_answers(share: float, episodes: int, seed: int = 0) -> Tensor:
    """Counts of right answers an episode, [E]; one seed draws the same episodes' difficulty."""
    difficulty = torch.rand(episodes, generator=torch.Generator().manual_seed(seed)) * 0.2 - 0.1
    return ((share + difficulty).clamp(0, 1) * WAYS * QUERIES).round()


def add(store: RecordStore, right: Tensor | None = None, **changes: Any) -> Record:
    """Write a record, with what `changes` says of it."""
    method, shots = changes.get("method", "syntrans"), changes.get("shots", 1)
    name = f"record_{len(list((store.out / 'episodes').iterdir()))}"
    accuracies = percent(right_answers(0.7, 600) if right is None else right, WAYS * QUERIES)
    mean = mean_ci95(accuracies)
    content: dict[str, Any] = {
        "id": name,
        "finished": "2026-01-01T00:00:00+00:00",
        "dataset": "cifar_fs",
        "method": method,
        "student": "resnet12 x32",
        "semantics": "vectors.npz" if method == "syntrans" else "none",
        "ways": WAYS,
        "shots": shots,
        "queries": QUERIES,
        "episodes": len(accuracies),
        "seed": 0,
        "accuracy": mean.mean,
        "ci95": mean.ci95,
        "episode_accuracies": store.save_accuracies(name, accuracies, WAYS * QUERIES),
        "diagnostics": store.save_diagnostics(name, diagnostics(method, shots), NAMES),
        "delta_vs": None,
        "delta": None,
        "delta_ci95": None,
        "uses_text": method == "syntrans",
        "uses_teacher_images": False,
        "is_transductive": False,
        "selected": {"values": {"alpha": 0.4, "b": 0.1}, "split": "validation"},
        "budget": "none",
        "config": f"SynTrans.parts = 'of {method}'\n",
        "versions": {"torch": "2.4", "commit": "abc"},
        "seconds": 1.0,
        "descriptor_hash": "d1e2" if method == "syntrans" else None,
        "data_fingerprint": "f00",
        "identity": {part: f"{part} of {method}" for part in PARTS},
        "settings": {"cycle": 1.0, "student.training.epochs": 60},
        "training_seed": 0,
        **changes,
    }
    record = Record(**content)
    store.append(record)
    return record


def diagnostics(method: str, shots: int) -> dict[str, Tensor]:
    """As an experiment writes them; weights of a class lie close together."""
    generator = torch.Generator().manual_seed(shots + len(method))
    classes = torch.stack([torch.randperm(CLASSES, generator=generator)[:WAYS] for _ in range(40)])
    shown = 3
    tensors = {
        "class_right": torch.randint(50, 100, (CLASSES,), generator=generator),
        "class_queries": torch.full((CLASSES,), 100),
        "shown_answers": torch.randint(WAYS, (shown, WAYS * QUERIES), generator=generator),
        "shown_classes": classes[:shown],
        "shown_support": torch.randint(400, (shown, WAYS, shots), generator=generator),
        "shown_query": torch.randint(400, (shown, WAYS, QUERIES), generator=generator),
    }
    if method == "syntrans":
        alphas = torch.linspace(0, 1, 21, dtype=torch.float64)
        curve = 75 - 20 * (alphas - 0.4) ** 2
        centres = torch.randn(CLASSES, 16, generator=generator)[classes]  # [e, N, D]
        noise = torch.randn(centres.shape, generator=generator)
        tensors |= {
            "alphas": alphas,
            "alpha_validation": torch.stack([curve, torch.full_like(alphas, 0.5)], 1),
            "alpha_test": torch.stack([curve - 3, torch.full_like(alphas, 0.4)], 1),
            "weight_classes": classes,
            "weights_visual": (centres + noise).half(),
            "weights_multimodal": (centres + 0.3 * noise).half(),
        }
    return tensors


def small_run(folder: Path) -> RecordStore:
    """Three methods at 1 and 5 shots on the same 600 episodes."""
    store = RecordStore(folder)
    for shots in (1, 5):
        for method, share in (("protonet_cosine", 0.6), ("syntrans", 0.7), ("twin", 0.7)):
            # the twin differs by a right answer in every hundredth episode: a paired tie
            right = right_answers(share + 0.1 * (shots > 1), 600)
            if method == "twin":
                right[::200] -= torch.tensor([1.0, -1.0, 1.0])
            differs = method != "protonet_cosine"
            add(
                store, right, method=method, shots=shots,
                delta_vs="protonet_cosine" if differs else None,
                delta=7.5 if differs else None, delta_ci95=0.2 if differs else None,
            )  # fmt: skip
    return store
