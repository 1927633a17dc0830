"""Add what somebody's own code answered on exported episodes, as a row beside the others.

    syntrans export-episodes --gin syntrans_cifarfs_cpu.gin --out episodes
    syntrans add-results --episodes episodes/episodes_1shot.npz --method "Ours" \\
        --predictions answers.npy --text --encoder "ResNet-12" --out results

The record lies in --out, where a run may have left others: then the difference to their
reference row is paired. Tables mark the row as made elsewhere.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from syntrans_l2l.cli.common import guarded, parser


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, read, add; 0 when all went well, 2 after bad input."""
    arguments = _parser().parse_args(argv)
    return guarded(lambda: _add(arguments))


def _add(arguments: argparse.Namespace) -> int:
    from syntrans_l2l.episodes.episode_file import read_episodes
    from syntrans_l2l.reporting.answers_file import read_answers, read_episode_accuracies
    from syntrans_l2l.reporting.elsewhere import Declared, add_accuracies, add_answers
    from syntrans_l2l.reporting.records import RecordStore

    file = read_episodes(arguments.episodes)
    declared = Declared(
        method=arguments.method,
        encoder=arguments.encoder,
        uses_text=arguments.text,
        uses_teacher_images=arguments.teacher_images,
        is_transductive=arguments.transductive,
    )
    if arguments.predictions:
        said = read_answers(arguments.predictions, file.episodes)
        record = add_answers(RecordStore(arguments.out), file, declared, said)
    else:
        accuracies = read_episode_accuracies(arguments.accuracies, file.episodes)
        record = add_accuracies(RecordStore(arguments.out), file, declared, accuracies)
    difference = ""
    if record.delta is not None:
        difference = f", minus {record.delta_vs} {record.delta:+.2f} ± {record.delta_ci95:.2f}"
    print(
        f"{record.method}: {record.accuracy:.2f} ± {record.ci95:.2f} over {record.episodes:,} "
        f"{record.shots}-shot episodes of {record.dataset}{difference}"
    )
    print(f"Tables and figures: syntrans leaderboard {arguments.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    made = parser("add-results", __doc__)
    made.add_argument(
        "--episodes",
        type=Path,
        required=True,
        metavar="FILE",
        help="what was answered, from syntrans export-episodes",
    )
    made.add_argument("--method", required=True, metavar="NAME", help="what tables call the row")
    given = made.add_mutually_exclusive_group(required=True)
    given.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="answers [E, N*Q] from 0 to N - 1 or logits [E, N*Q, N], as .npy, .npz or .csv",
    )
    given.add_argument(
        "--accuracies",
        type=Path,
        metavar="FILE",
        help="the accuracy of each episode in percent [E], as .npy, .npz or .csv",
    )
    made.add_argument("--text", action="store_true", help="it has seen text of the classes")
    made.add_argument(
        "--teacher-images", action="store_true", help="images went through a teacher such as CLIP"
    )
    made.add_argument(
        "--transductive", action="store_true", help="the queries of an episode see each other"
    )
    made.add_argument(
        "--encoder",
        default="not stated",
        metavar="NAME",
        help="what its features come from (default: not stated)",
    )
    made.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder of results.jsonl (default: results)",
    )
    return made
