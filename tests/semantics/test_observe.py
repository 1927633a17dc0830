import inspect
from pathlib import Path

import pytest
import tiny_models
import torch
from common import random_split
from torch import Tensor

from syntrans_l2l.datasets.base import FewShotData
from syntrans_l2l.episodes.episodes import Episodes
from syntrans_l2l.semantics.image_text_model import ImageTextModel
from syntrans_l2l.semantics.observe import (
    BaseImages,
    Observation,
    Observer,
    SupportImages,
)


class Scripted:
    """A vision-language model that says what the test tells it to, and keeps what it saw."""

    source = "scripted"

    def __init__(self, answer: str = "- a red tail") -> None:
        self.said = answer
        self.seen: list[Tensor] = []

    def key(self) -> dict[str, object]:
        return {"model": self.source}

    def answer(self, image: Tensor, question: str) -> str:
        self.seen.append(image)
        return self.said


def rows_of(images: Tensor, pool: Tensor) -> list[int]:
    """Where in `pool` each image lies; the images of the tests are all different."""
    return [int(torch.where((pool == image).flatten(1).all(1))[0]) for image in images]


@pytest.fixture
def episodes() -> Episodes:
    """Two episodes of 3 ways, 2 shots, 4 queries on 6 classes of 24 images."""
    class_ids = torch.tensor([[0, 2, 4], [5, 1, 3]])
    first = class_ids[..., None] * 24  # [E, N, 1]
    return Episodes(class_ids, first + torch.arange(2), first + 2 + torch.arange(4))


def test_base_images_come_from_base_classes_alone(data: FewShotData) -> None:
    pictures = BaseImages(data, per_class=3, seed=1)
    assert pictures.class_names == [n for n in data.train.class_names for _ in range(3)]
    rows = rows_of(pictures.images, data.train.images)
    assert len(set(rows)) == 36
    labels = data.train.labels[rows].tolist()
    assert [data.train.class_names[label] for label in labels] == pictures.class_names
    assert torch.equal(BaseImages(data, per_class=3, seed=1).images, pictures.images)
    assert not torch.equal(BaseImages(data, per_class=3, seed=2).images, pictures.images)
    with pytest.raises(ValueError, match="per_class must be from 1 to 24"):
        BaseImages(data, per_class=25)


def test_support_images_are_the_episodes_support(data: FewShotData, episodes: Episodes) -> None:
    pictures = SupportImages(data.test, episodes, 1)
    rows = rows_of(pictures.images, data.test.images)
    assert rows == episodes.support[1].flatten().tolist()
    assert not set(rows) & set(episodes.query[1].flatten().tolist())
    assert pictures.class_names == [f"novel_{c}" for c in (5, 5, 1, 1, 3, 3)]


def test_query_images_cannot_reach_the_model(
    data: FewShotData, episodes: Episodes, tmp_path: Path
) -> None:
    """No way to make the two types takes images; other types are refused; leaks are found."""
    for made in (BaseImages, SupportImages):
        taken = [p.annotation for p in inspect.signature(made).parameters.values()]
        assert Tensor not in taken
    model = Scripted()
    observer = Observer(model, journal=str(tmp_path))
    for other in (data.test, data.test.images, episodes, data):
        with pytest.raises(TypeError, match="sees BaseImages or SupportImages, not"):
            observer.observe(other)  # type: ignore[arg-type]
    episodes.support[0, 0, 0] = episodes.query[0, 0, 0]
    with pytest.raises(ValueError, match="episode 0 has an image in support and query alike"):
        SupportImages(data.test, episodes, 0)
    assert model.seen == []
    observer.observe(SupportImages(data.test, episodes, 1))
    seen = rows_of(torch.stack(model.seen), data.test.images)
    assert not set(seen) & set(episodes.query[1].flatten().tolist())


def test_what_was_seen_is_declared(data: FewShotData, episodes: Episodes, tmp_path: Path) -> None:
    model = Scripted("- a red tail\n- 红色的尾巴")
    observer = Observer(model, journal=str(tmp_path))
    for pictures, declared in (
        (BaseImages(data, per_class=2), "sample images of base classes"),
        (SupportImages(data.test, episodes, 0), "support images of an episode"),
    ):
        found = observer.observe(pictures)
        assert {d.written_by for d in found} == {f"scripted, {declared}"}
        assert all("[image " in d.prompt for d in found)
        assert {d.reason for d in found if not d.kept} == {"not in English letters"}
    count = len(model.seen)
    observer.observe(BaseImages(data, per_class=2))
    assert len(model.seen) == count  # the journal knows them
    model.said = "?"
    with pytest.raises(ValueError, match="no picture of base_0, base_1"):
        observer.observe(BaseImages(data, per_class=1, seed=5))


def test_as_a_describer_it_knows_its_classes_alone(data: FewShotData, tmp_path: Path) -> None:
    observation = Observation(Observer(Scripted(), journal=str(tmp_path)), BaseImages(data))
    found = observation.describe(["base_3", "novel_1"])
    assert [(d.class_name, d.phrase) for d in found] == [("base_3", "a red tail")]
    other = Observation(Observer(Scripted()), BaseImages(data, seed=3))
    assert observation.key() != other.key()


def test_a_describer_sees_base_images_only(data: FewShotData, episodes: Episodes) -> None:
    """What it writes is the text of all episodes, where this one's support may be a query."""
    support = SupportImages(data.test, episodes, 0)
    with pytest.raises(TypeError, match=r"not SupportImages: .*Observer\.observe"):
        Observation(Observer(Scripted()), support)  # type: ignore[arg-type]


def test_a_real_image_text_model(tmp_path: Path) -> None:
    folder = tiny_models.image_text_model(tmp_path / "llava")
    model = ImageTextModel(str(folder), max_new_tokens=10)
    split = random_split(3, 4, "base")
    data = FewShotData("random", train=split, validation=split, test=split, fingerprint="")
    found = Observer(model, journal=str(tmp_path / "answers")).observe(BaseImages(data))
    assert {d.class_name for d in found} == {"base_0", "base_1", "base_2"}
    assert len({d.phrase for d in found}) > 3  # it looks: other pictures, other answers
    words = {word for d in found for word in d.phrase.split()}
    assert words <= set(tiny_models.WORDS)
    with pytest.raises(FileNotFoundError, match="no image-text model folder"):
        ImageTextModel("/nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="cannot load the image-text model"):
        ImageTextModel(str(tmp_path / "empty")).answer(split.images[0], "What?")
