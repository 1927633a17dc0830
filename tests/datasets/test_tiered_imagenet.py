import pickle
from pathlib import Path

import pytest
import torch
from archives import dump, write_tiered

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets import published
from syntrans_l2l.datasets.base import SPLITS, Split
from syntrans_l2l.datasets.tiered_imagenet import TieredImagenet

CLASSES = published.classes("tiered_imagenet")


@pytest.mark.parametrize("python2", [False, True])
def test_images_and_names_are_those_of_the_pickles(tmp_path: Path, python2: bool) -> None:
    written = write_tiered(tmp_path, 2, python2)
    data = TieredImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    assert len(set(data.class_names)) == 608
    for split in SPLITS:
        part: Split = getattr(data, split)
        assert list(part.class_keys) == CLASSES[split]
        assert torch.equal(part.images, torch.from_numpy(written[split]).permute(0, 3, 1, 2))
        # the file counts its classes backwards, and says so by their names
        assert part.labels.tolist() == [c for c in range(len(CLASSES[split])) for _ in range(2)]
    counts = TieredImagenet().class_counts(tmp_path)
    assert counts["train"] == dict.fromkeys(data.train.class_names, 2)


def test_all_words_of_a_class_and_its_id_name_it_too(tmp_path: Path) -> None:
    write_tiered(tmp_path, 1)
    expected = TieredImagenet().load(tmp_path, Cache(tmp_path / "cache")).test.labels
    path = tmp_path / "tiered-imagenet" / "test_labels.pkl"
    content = pickle.loads(path.read_bytes())
    wnids = CLASSES["test"][::-1]
    lemmas = published.wordnet_lemmas(wnids)
    for names in (wnids, [", ".join(lemmas[wnid]) for wnid in wnids]):
        dump(path, {**content, "label_specific_str": names})
        again = TieredImagenet().load(tmp_path, Cache(tmp_path / "cache"))
        assert torch.equal(again.test.labels, expected)


def test_what_is_not_tieredimagenet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"train_images_png\.pkl is missing; run .*7978538"):
        TieredImagenet().class_counts(tmp_path)
    write_tiered(tmp_path, 1)
    folder = tmp_path / "tiered-imagenet"
    path = folder / "val_labels.pkl"
    content = pickle.loads(path.read_bytes())
    names = ["unicorn", *content["label_specific_str"][1:]]
    dump(path, {**content, "label_specific_str": names})
    with pytest.raises(ValueError, match="97 published classes of its split: unknown are unicorn"):
        TieredImagenet().class_counts(tmp_path)
    path.write_bytes((folder / "test_labels.pkl").read_bytes())
    with pytest.raises(ValueError, match="is it another split's file"):
        TieredImagenet().class_counts(tmp_path)
    dump(path, {"label_specific": content["label_specific"]})
    with pytest.raises(ValueError, match="lacks label_specific and label_specific_str"):
        TieredImagenet().class_counts(tmp_path)
    dump(path, {**content, "label_specific": content["label_specific"] + 1})
    with pytest.raises(ValueError, match="must be places in label_specific_str, 0 to 96"):
        TieredImagenet().class_counts(tmp_path)
    dump(path, content)
    images = pickle.loads((folder / "val_images_png.pkl").read_bytes())
    dump(folder / "val_images_png.pkl", images[:-1])
    with pytest.raises(ValueError, match="holds 96 images for 97 labels"):
        TieredImagenet().load(tmp_path, Cache(tmp_path / "cache"))
    assert not list((tmp_path / "cache").rglob("*.partial"))
