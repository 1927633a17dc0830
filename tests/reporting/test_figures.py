import builtins
import io
import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from common import random_split
from synthetic import CLASSES, NAMES, add, diagnostics, small_run

from syntrans_l2l.datasets.base import Split
from syntrans_l2l.reporting.collection import boards, collect
from syntrans_l2l.reporting.figures.album import pictures
from syntrans_l2l.reporting.figures.alpha import alpha_figure
from syntrans_l2l.reporting.figures.bars import bars_figure
from syntrans_l2l.reporting.figures.card import ClassCard, cards_figure, class_cards
from syntrans_l2l.reporting.figures.classes import gain_figure
from syntrans_l2l.reporting.figures.episode import episode_sheet
from syntrans_l2l.reporting.figures.style import COLOURS, MARKERS, save
from syntrans_l2l.reporting.figures.weights import weights_figure
from syntrans_l2l.reporting.records import Record, RecordStore
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.bank_file import MinedBank
from syntrans_l2l.semantics.descriptors import Descriptor


def test_alpha_curves_and_the_selected_alpha() -> None:
    figure = alpha_figure({k: diagnostics("syntrans", k) for k in (1, 5)}, {1: 0.4, 5: 0.6})
    assert [panel.get_title() for panel in figure.axes] == ["1-shot", "5-shot"]
    for panel, chosen in zip(figure.axes, (0.4, 0.6), strict=True):
        validation, test, selected = panel.lines
        assert [line.get_label() for line in panel.lines[:2]] == [
            "validation classes",
            "test classes",
        ]
        assert np.allclose(validation.get_ydata() - test.get_ydata(), 3)
        assert list(selected.get_xdata()) == [chosen, chosen]
        assert len(panel.collections) == 2  # a band each


def test_weights_have_a_look_and_a_name_for_each_class() -> None:
    figure = weights_figure({1: diagnostics("syntrans", 1)}, NAMES)
    assert [panel.get_title() for panel in figure.axes] == ["1-shot, visual", "1-shot, multimodal"]
    for panel in figure.axes:
        assert sum(len(points.get_offsets()) for points in panel.collections) == 200
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [n.replace("_", " ") for n in NAMES]
    looks = {(COLOURS[c % 7], MARKERS[c // 7 % 3]) for c in range(CLASSES)}
    assert len(looks) == CLASSES


def test_gain_per_class_is_the_difference_of_shares() -> None:
    right = torch.arange(CLASSES)
    ours = {"class_right": right + 5, "class_queries": torch.full((CLASSES,), 50)}
    theirs = {"class_right": right, "class_queries": torch.full((CLASSES,), 100)}
    panel = gain_figure({1: (ours, theirs)}, NAMES, "a minus b").axes[0]
    gains = 2.0 * (np.arange(CLASSES) + 5) - np.arange(CLASSES)
    assert np.allclose(panel.lines[0].get_xdata(), np.sort(gains))
    assert panel.get_yticklabels()[0].get_text() == NAMES[0].replace("_", " ")


def test_the_sheet_says_what_each_row_said() -> None:
    split = random_split(CLASSES, 20, "novel")
    tensors = diagnostics("syntrans", 1)
    [panel] = episode_sheet({"one": tensors, "two": tensors}, split).axes
    texts = [text.get_text() for text in panel.texts]
    classes, answers = tensors["shown_classes"][0], tensors["shown_answers"][0].view(5, 15)
    names = [split.class_names[int(c)].replace("_", " ") for c in classes]
    assert texts.count("one") == texts.count("two") == 5  # named in each band
    right = int((answers[:, :6] == torch.arange(5)[:, None]).sum())
    assert texts.count("✓") == 2 * right
    for way, name in enumerate(names):
        wrong = int(((answers[:, :6] == way) & (torch.arange(5)[:, None] != way)).sum())
        assert texts.count(name) == 1 + 2 * wrong  # its own band, and who took others for it
    assert np.array_equal(
        panel.images[0].get_array(),
        split.images[tensors["shown_support"][0, 0, 0]].permute(1, 2, 0).numpy(),
    )


def test_no_text_of_a_figure_lies_on_another_or_leaves_the_page() -> None:
    """Drawn by matplotlib itself, at print size."""
    split = random_split(CLASSES, 20, "a_novel_class_with_a_long_name")
    tensors = diagnostics("syntrans", 5)
    rows = ("ProtoNet (cosine)", "SynTrans, shuffled text", "SynTrans")
    figures = [
        episode_sheet(dict.fromkeys(rows, tensors), split),
        bars_figure(
            {k: dict.fromkeys(rows, (70.0, 0.3)) for k in (1, 5)}, dict.fromkeys(rows, True), 5
        ),
        cards_figure(
            [ClassCard("a heron", split.images[0], [("a long neck", 0.1)], [("a bird", None)])] * 2
        ),
    ]
    for figure in figures:
        figure.savefig(io.BytesIO(), format="png")
        page = figure.bbox
        boxes = [
            text.get_window_extent()
            for panel in figure.axes
            for text in [*panel.texts, *(panel.get_yticklabels() if panel.axison else [])]
            if text.get_text() and text.get_visible()
        ]
        for box in boxes:
            assert page.x0 <= box.x0 and box.x1 <= page.x1, box
        for one, two in itertools.combinations(boxes, 2):
            assert not (one.padded(-1).overlaps(two.padded(-1))), (one, two)


def test_bars_begin_at_chance_and_mark_text() -> None:
    rows = {"plain": (60.0, 0.5), "reading": (80.0, 0.2)}
    [panel] = bars_figure({1: rows}, {"plain": False, "reading": True}, 5).axes
    bars = [patch for patch in panel.patches if patch.get_width()]
    assert [(bar.get_x(), bar.get_width()) for bar in bars] == [(20, 40), (20, 60)]
    assert [bool(bar.get_hatch()) for bar in bars] == [False, True]


def test_the_same_figure_gives_the_same_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        figure = weights_figure({1: diagnostics("syntrans", 1)}, NAMES)
        save(figure, tmp_path / folder, "weights")
    for kind in ("png", "pdf"):
        one, two = ((tmp_path / f / f"weights.{kind}").read_bytes() for f in ("a", "b"))
        assert one == two


def absent(record: Record) -> Split:
    raise FileNotFoundError("no images")


def test_what_is_missing_is_said_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = small_run(tmp_path)
    [board] = boards(collect([tmp_path])[0])
    names = [picture.name for picture in pictures(board, lambda record: random_split(20, 20, "n"))]
    assert names == [
        f"cifar_fs_{name}" for name in ("rows", "alpha", "weights", "classes", "episode")
    ]
    with caplog.at_level(logging.WARNING):
        assert len(list(pictures(board, absent))) == 4
    assert "no episode sheet of cifar_fs: no images" in caplog.text
    for path in (store.out / "diagnostics").iterdir():
        path.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert [picture.name for picture in pictures(board, absent)] == ["cifar_fs_rows"]
    assert "no figures of 6 records of cifar_fs" in caplog.text


def test_without_matplotlib_the_error_is_the_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def fail(name: str, *arguments: Any, **settings: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(ImportError, match=r"syntrans-l2l\[figures\]"):
        alpha_figure({1: diagnostics("syntrans", 1)}, {1: 0.4})


def test_cards_show_the_phrases_of_the_novel_classes(tmp_path: Path) -> None:
    split = random_split(20, 20, "n")
    vectors = SemanticBank(split.class_names, torch.randn(20, 3), "mined")
    phrases = [
        Descriptor(class_name=name, phrase=f"{kept} of {name}", written_by="w", prompt="p",
                   score=0.25, kept=kept)
        for name in split.class_names for kept in (False, True)
    ]  # fmt: skip
    bank = MinedBank(
        vectors=vectors, descriptors=phrases, dataset="cifar_fs", observed="none", made_by={}
    )
    cards = class_cards(bank, split)
    assert [each.name for each in cards] == list(split.class_names[:4])
    for label, each in enumerate(cards):
        assert any(torch.equal(each.image, split.images[row])
                   for row in torch.where(split.labels == label)[0])  # fmt: skip
        assert each.kept == [(f"True of {each.name}", 0.25)]
        assert each.dropped == [(f"False of {each.name}", 0.25)]
    store = RecordStore(tmp_path / "run")
    store.keep_bank(bank)
    add(store, descriptor_hash=vectors.digest)
    [board] = boards(collect([tmp_path])[0])
    names = [picture.name for picture in pictures(board, lambda _: split)]
    assert names[-1] == "cifar_fs_cards" and "cifar_fs_episode" in names


def test_a_row_of_accuracies_only_is_no_obstacle_to_figures(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    add(store)
    tensors = {"accuracies": torch.zeros(600)}
    add(store, method="Ours", diagnostics=store.save_diagnostics("bare", tensors, NAMES))
    [board] = boards(collect([tmp_path])[0])
    names = [picture.name for picture in pictures(board, lambda _: random_split(20, 20, "n"))]
    assert names == [f"cifar_fs_{name}" for name in ("rows", "alpha", "weights", "episode")]


def test_a_data_set_of_any_name_gives_files_in_the_folder(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "run")
    for name in ("../up/a:b", "../up/a_b"):
        add(store, dataset=name)
    boards_found = boards(collect([tmp_path])[0])
    split = random_split(20, 20, "n")
    shown = [picture for board in boards_found for picture in pictures(board, lambda _: split)]
    names = [picture.name for picture in shown]
    assert len(set(names)) == len(names) == 8
    for picture in shown:
        save(picture.figure, tmp_path / "figures", picture.name)
    assert len(list((tmp_path / "figures").glob("*.png"))) == 8
