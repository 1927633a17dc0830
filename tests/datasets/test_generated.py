from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.attributes import VALUES
from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.datasets.concepts import FACTS, Concept, attribute_space, draw_attributes
from syntrans_l2l.datasets.generated import Generated, class_concepts, class_names
from syntrans_l2l.datasets.rendering import render

STAR = Concept("star", "striped", "red", "single", "bare")
SPLITS = class_concepts()
CLASSES = [concept for concepts in SPLITS.values() for concept in concepts]


def picture(concept: Concept, seed: int = 0, nuisance: float = 1.0, images: int = 4) -> Tensor:
    attributes = draw_attributes([concept] * images, torch.Generator().manual_seed(seed))
    return render(attributes, torch.Generator().manual_seed(seed), nuisance=nuisance)


def load(cache: Path, seed: int = 0) -> FewShotData:
    return Generated(images_per_class=2, seed=seed).load(Path("no-such-folder"), Cache(cache))


def test_images_labels_and_counts_agree(tmp_path: Path) -> None:
    data = load(tmp_path)
    counts = Generated(images_per_class=2).class_counts(Path("no-such-folder"))
    for name, classes in (("train", 64), ("validation", 16), ("test", 20)):
        split = getattr(data, name)
        assert split.images.shape == (2 * classes, 3, 32, 32)
        assert split.images.dtype == torch.uint8
        assert split.class_counts().tolist() == [2] * classes
        assert split.class_names == tuple(counts[name]) == class_names()[name]
    assert {n for split in counts.values() for n in split.values()} == {2}


def test_same_seed_same_bits_and_drawn_once(tmp_path: Path) -> None:
    first = load(tmp_path / "a")
    [entry] = (tmp_path / "a" / "images").iterdir()
    written = entry.stat().st_mtime_ns
    for again in (load(tmp_path / "a"), load(tmp_path / "b")):
        assert torch.equal(first.test.images, again.test.images)
        assert first.fingerprint == again.fingerprint
    assert entry.stat().st_mtime_ns == written
    other = load(tmp_path / "a", seed=1)
    assert other.class_names == first.class_names
    assert other.fingerprint != first.fingerprint
    assert not torch.equal(first.test.images, other.test.images)


def test_splits_share_no_class_and_no_picture() -> None:
    assert [len(concepts) for concepts in SPLITS.values()] == [64, 16, 20]
    assert len({concept.name for concept in CLASSES}) == 100
    for number, concept in enumerate(CLASSES):
        assert all(concept.excludes(other) for other in CLASSES[:number])


def test_classes_are_pinned() -> None:
    """Another interpreter or an edit must not deal other classes unnoticed."""
    firsts = [concepts[0].name for concepts in SPLITS.values()]
    assert firsts == [
        "blue_leaf_stack_on_bar",
        "checked_cyan_square_with_ball",
        "plain_yellow_square_pair",
    ]
    assert [names[0] for names in class_names().values()] == [
        "leaf_stack",
        "cyan_square",
        "plain_square_pair",
    ]


def test_names_differ_and_tell_part_of_what_a_class_says() -> None:
    """A name never tells anything false: each of its words is in the name of the whole."""
    names = [name for split in class_names().values() for name in split]
    assert len(set(names)) == 100
    for name, concept in zip(names, CLASSES, strict=True):
        assert set(name.split("_")) <= set(concept.name.split("_"))
    shorter = sum(n != c.name for n, c in zip(names, CLASSES, strict=True))
    assert shorter > 50


def test_base_classes_show_every_value() -> None:
    for attribute, values in VALUES.items():
        shown = {concept.values.get(attribute) for concept in SPLITS["train"]} - {None}
        assert shown == set(values)


def test_each_class_has_siblings_that_differ_in_one_attribute() -> None:
    def differences(one: Concept, other: Concept) -> int:
        return sum(getattr(one, name) != getattr(other, name) for name in VALUES)

    for concepts in SPLITS.values():
        for concept in concepts:
            near = [differences(concept, other) for other in concepts]
            assert near.count(1) >= 2


def test_facts_are_those_of_the_values() -> None:
    assert {name: set(phrases) for name, phrases in FACTS.items()} == {
        name: set(values) for name, values in VALUES.items()
    }
    phrases = [phrase for by_value in FACTS.values() for phrase in by_value.values()]
    assert len(set(phrases)) == len(phrases)
    assert Concept("star", colour="red", arrangement="pair").facts() == (
        "a star shape with five points",
        "red in colour",
        "two of them side by side",
    )
    assert all(len(concept.facts()) in (3, 4) for concept in CLASSES)


def test_names_are_readable_and_unique_over_the_whole_space() -> None:
    space = attribute_space()
    assert len(space) == len({concept.name for concept in space}) == 10 * 7 * 8 * 4 * 5
    assert STAR.name == "bare_single_striped_red_star"
    assert Concept("star", "striped", "red", "pair", "ball").name == (
        "striped_red_star_pair_with_ball"
    )
    assert Concept("star").name == "star"
    with pytest.raises(ValueError, match="unknown colour 'mauve'; known: red, "):
        Concept("star", colour="mauve")


def test_free_attributes_vary_and_given_ones_do_not() -> None:
    drawn = draw_attributes([Concept("star", colour="red")] * 500, torch.Generator())
    seen = [len(column.unique()) for column in drawn.unbind(1)]
    assert seen == [1, 7, 1, 4, 5]
    assert drawn[0, 0] == VALUES["shape"].index("star")
    assert draw_attributes([], torch.Generator()).shape == (0, 5)


def test_two_images_of_a_class_differ() -> None:
    first, second = picture(STAR, images=2)
    assert (first != second).float().mean() > 0.9


def test_another_colour_changes_the_object_only() -> None:
    """The same seed gives the same clutter: what differs lies where the object is."""
    red, blue = (picture(replace(STAR, colour=c), images=64) for c in ("red", "blue"))
    changed = (red != blue).any(1).float()  # [n, 32, 32]
    assert 0.02 < changed.mean() < 0.2
    assert changed[:, [0, 0, -1, -1], [0, -1, 0, -1]].sum() == 0  # the corners
    assert changed[:, 12:20, 12:20].mean() > 0.4


@pytest.mark.parametrize("attribute", VALUES)
def test_each_value_is_drawn_differently(attribute: str) -> None:
    values = VALUES[attribute]
    images = [picture(replace(STAR, **{attribute: v}), 0, 0.0, 1)[0].float() for v in values]
    for number, image in enumerate(images):
        for other in images[:number]:
            assert ((image - other).abs().amax(0) > 40).sum() >= 15  # pixels


def test_without_nuisance_an_object_stands_alone_on_grey() -> None:
    [image] = picture(Concept("disc", "plain", "red", "single", "bare"), 0, 0.0, 1).long()
    red, green, blue = image[:, 14:18, 14:18].flatten(1)
    assert (red > 4 * green).all() and (red > 4 * blue).all()
    border = torch.cat([image[:, :4].flatten(), image[:, :, :4].flatten()])
    assert border.unique().numel() == 1


def test_pictures_do_not_depend_on_their_neighbours_attributes() -> None:
    """Each image of a batch is drawn with its own attributes."""
    heart = Concept("heart", "dotted", "pink", "trio", "frame")
    together = draw_attributes([STAR, heart, STAR], torch.Generator())
    alone = draw_attributes([heart] * 3, torch.Generator())
    mixed, same = (render(a, torch.Generator().manual_seed(5)) for a in (together, alone))
    assert torch.equal(mixed[1], same[1])
    assert not torch.equal(mixed[0], same[0])


def test_other_sizes() -> None:
    attributes = draw_attributes([STAR], torch.Generator())
    assert render(attributes, torch.Generator(), size=84).shape == (1, 3, 84, 84)


def test_wrong_settings_are_refused() -> None:
    for wrong in ({"images_per_class": 0}, {"size": 8}, {"nuisance": -1.0}):
        with pytest.raises(ValueError, match="Generated needs images_per_class >= 1"):
            Generated(**wrong)
    with pytest.raises(ValueError, match=r"must be \[n, 5\]"):
        render(torch.zeros(3, 4, dtype=torch.int64), torch.Generator())
    with pytest.raises(ValueError, match="attributes must be below"):
        render(torch.full((1, 5), 9), torch.Generator())
