"""Measure the leaderboard on 10,000 records: 1,000 runs of 5 methods at 2 shots, 10,000 episodes.

    python benchmarks/speed/leaderboard_speed.py

The accuracies are drawn, not measured: 250 encoders on each of four data sets, every method on
the same episodes, so that neighbours in rank are told apart by paired differences.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from tqdm import tqdm

from syntrans_l2l.evaluation.statistics import mean_ci95
from syntrans_l2l.reporting.identity import PARTS
from syntrans_l2l.reporting.records import Record, RecordStore, percent

DATASETS = ("cifar_fs", "fc100", "generated", "other")
METHODS = ("protonet_cosine", "protonet", "maml", "syntrans_visual", "syntrans")
ENCODERS, SHOTS, EPISODES, ANSWERS = 250, (1, 5), 10_000, 75
FORMATS = ("--markdown", "--latex", "--csv", "--html")


def main() -> None:
    """Draw the records, time the command."""
    with tempfile.TemporaryDirectory() as folder:
        for number, dataset in enumerate(DATASETS):
            difficulty = torch.randn(EPISODES, generator=torch.Generator().manual_seed(number))
            for encoder in tqdm(range(ENCODERS), desc=dataset):
                run(Path(folder) / f"{dataset}_{encoder}", dataset, encoder, difficulty)
        script = Path(__file__).parent.parent / "leaderboard.py"
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, script, folder, "--out", f"{folder}/out", *FORMATS],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        sizes = {path.name: path.stat().st_size for path in Path(f"{folder}/out").iterdir()}
    print(f"{seconds:.1f} s, {memory:.2f} GiB at most, bytes written: {sizes}")


def run(out: Path, dataset: str, encoder: int, difficulty: torch.Tensor) -> None:
    """The records of one run."""
    store = RecordStore(out)
    generator = torch.Generator().manual_seed(encoder)
    for shots in SHOTS:
        for place, method in enumerate(METHODS):
            mean = 30 + encoder / 10 + 3 * place + 8 * (shots > 1)
            noise = torch.randn(EPISODES, generator=generator)
            right = (mean + 6 * difficulty + 3 * noise).round().clamp(0, ANSWERS)
            accuracies = percent(right, ANSWERS)
            name = f"{dataset}_{encoder}_{method}_{shots}"
            store.append(
                Record(
                    id=name,
                    finished="2026-01-01T00:00:00+00:00",
                    dataset=dataset,
                    method=method,
                    student=f"resnet12 number {encoder}",
                    semantics="vectors.npz" if method == "syntrans" else "none",
                    ways=5,
                    shots=shots,
                    queries=15,
                    episodes=EPISODES,
                    seed=0,
                    accuracy=mean_ci95(accuracies).mean,
                    ci95=mean_ci95(accuracies).ci95,
                    episode_accuracies=store.save_accuracies(name, accuracies, ANSWERS),
                    diagnostics="none",
                    delta_vs=None,
                    delta=None,
                    delta_ci95=None,
                    uses_text=method == "syntrans",
                    uses_teacher_images=False,
                    is_transductive=method == "maml",
                    selected={},
                    budget="none",
                    config=f"# run {encoder}\n" + "SynTransRow.parts = @SynTransSettings()\n" * 150,
                    versions={"torch": torch.__version__},
                    seconds=1.0,
                    descriptor_hash=None,
                    data_fingerprint=dataset,
                    identity=dict.fromkeys(PARTS, f"{encoder} {method}"),
                    settings={},
                )
            )


if __name__ == "__main__":
    main()
