import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from archives import write_clip
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.encoders.teacher import ClipTeacher, Templates
from syntrans_l2l.semantics.text_encoder import OpenClipText, prompts

TEACHER = ClipTeacher("embedded")
IMAGES = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()


@pytest.mark.parametrize("size", [(32, 32), (84, 84), (20, 20), (60, 90)])
def test_image_features_are_those_of_open_clips_own_preprocessing(size: tuple[int, int]) -> None:
    """Of PIL images of any size: in CLIP's own size and normalisation."""
    folder = TEACHER.model
    model, _, preprocess = open_clip.create_model_and_transforms(folder)
    images = F.interpolate(IMAGES.float(), size=size, mode="bilinear").round().byte()
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
    with torch.no_grad():
        expected = model.eval().encode_image(torch.stack([preprocess(p) for p in pictures]))
    features = TEACHER.image_features(images)
    assert features.dtype == torch.float16
    cosine = F.cosine_similarity(features.float(), expected)
    assert cosine.min() > 0.999  # bfloat16 where the processor has it


def test_floats_in_0_1_are_the_same_images() -> None:
    assert torch.equal(TEACHER.image_features(IMAGES / 255.0), TEACHER.image_features(IMAGES))


def test_text_features_do_not_depend_on_their_batch() -> None:
    texts = prompts(["striped_red_star", "blue_ring", "checked_cyan_square_with_ball"])
    together = TEACHER.text_features(texts)
    assert together.shape == (3, TEACHER.width)
    torch.testing.assert_close(TEACHER.text_features(texts, batch_size=1), together)
    torch.testing.assert_close(together.norm(dim=-1), torch.ones(3))
    assert (together @ together.T - torch.eye(3)).max() < 0.9


def test_texts_beyond_the_context_are_told(caplog: pytest.LogCaptureFixture) -> None:
    limit = open_clip.get_tokenizer(TEACHER.model).context_length
    long = " ".join(["striped red star"] * limit)
    one, two = TEACHER.text_features([long, f"{long} ring"])
    assert torch.equal(one, two)
    [message] = [record.getMessage() for record in caplog.records]
    assert f"reads {limit} tokens: 2 of 2 texts are longer" in message
    assert "first of 'striped red star" in message


def test_open_clips_own_tokenizer_tells_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    teacher = ClipTeacher(write_clip(tmp_path / "clip"))
    teacher.text_features(["grey " * 75])  # with first and last token 77
    assert not caplog.records
    teacher.text_features(["grey " * 80, "grey"])
    [message] = [record.getMessage() for record in caplog.records]
    assert "reads 77 tokens: 1 of 2 texts are longer, and 5.9% of all tokens" in message


@pytest.mark.parametrize(
    ("templates", "texts"),
    [
        ("simple", open_clip.SIMPLE_IMAGENET_TEMPLATES),
        ("openai", open_clip.OPENAI_IMAGENET_TEMPLATES),
    ],
)
def test_templates_are_averaged(templates: Templates, texts: Sequence[Any]) -> None:
    names = ["striped_red_star", "blue_ring", *(f"green_ring_{number}" for number in range(10))]
    encoder = OpenClipText(TEACHER, templates=templates)
    bank = encoder.encode_classes(names)
    for name, vector in zip(names, bank.vectors, strict=True):
        each = TEACHER.text_features([text(name.replace("_", " ")) for text in texts])
        torch.testing.assert_close(vector, F.normalize(each.mean(0), dim=0))
    single = OpenClipText(TEACHER)
    assert torch.equal(single.encode_classes(names).vectors, TEACHER.text_features(prompts(names)))
    assert f"in {templates} templates" in encoder.source and "templates" not in single.source
    assert encoder.key() != single.key()


def test_unknown_templates() -> None:
    with pytest.raises(ValueError, match="must be single, simple, openai, got 'many'"):
        OpenClipText(TEACHER, templates="many")  # type: ignore[arg-type]


def test_every_word_of_the_generated_world_is_known(tmp_path: Path) -> None:
    from syntrans_l2l.datasets.generated import class_concepts, class_names
    from syntrans_l2l.semantics.demo_describer import DemoDescriber
    from syntrans_l2l.semantics.descriptors import prompt

    names = [name for split in class_names().values() for name in split]
    whole = [concept.name for split in class_concepts().values() for concept in split]
    written = DemoDescriber(vague=5, wrong=5).describe(names)
    texts = prompts([*names, *whole]) + [prompt(d.class_name, d.phrase) for d in written]
    tokens = open_clip.get_tokenizer(TEACHER.model)(texts)
    assert not (tokens == 1).any()  # [UNK]
    assert (tokens == 0).any(1).all()  # no text fills the context


def test_the_embedded_teacher_names_novel_classes(tmp_path: Path) -> None:
    """Fewer images than in training_log.jsonl's figure, all 20 novel classes at once."""
    novel = Generated(images_per_class=10, seed=7).load(tmp_path, Cache(tmp_path)).test
    logits = (
        TEACHER.image_features(novel.images).float()
        @ TEACHER.text_features(prompts(novel.class_names)).T
    )
    assert (logits.argmax(1) == novel.labels).float().mean() > 0.5  # chance is 0.05


def test_the_shipped_weights_are_small() -> None:
    folder = Path(TEACHER.model.partition(":")[2])
    assert sum(file.stat().st_size for file in folder.iterdir()) < 5_000_000


def test_images_of_wrong_shape_or_range() -> None:
    with pytest.raises(ValueError, match=r"\[n, 3, H, W\], got \[3, 32, 32\]"):
        TEACHER.image_features(IMAGES[0])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], got values from 0 to 255"):
        TEACHER.image_features(IMAGES.float().clamp(0, 255).index_fill(3, torch.tensor([0]), 0)
                               .index_fill(3, torch.tensor([1]), 255))  # fmt: skip
    with pytest.raises(ValueError, match="uint8 or float"):
        TEACHER.image_features(IMAGES.long())


def test_unknown_models_and_missing_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="open_clip has no model 'ViT-B-33'"):
        ClipTeacher("ViT-B-33", "openai")
    with pytest.raises(ValueError, match="pretrained= one of openai"):
        ClipTeacher("ViT-B-32")
    with pytest.raises(FileNotFoundError, match=r"neither a file nor.*syntrans_demo\.gin"):
        _ = ClipTeacher("ViT-B-32", str(tmp_path / "none.pt")).network
    with pytest.raises(FileNotFoundError, match=r"open_clip_config\.json and weights in"):
        _ = ClipTeacher(f"local-dir:{tmp_path}").network


def test_weights_on_the_hub_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*arguments: object, **named: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("open_clip.factory.download_pretrained", offline)
    with pytest.raises(FileNotFoundError, match=r"vit_base_patch32.*hub and in .*syntrans_demo"):
        _ = ClipTeacher("ViT-B-32", "openai").network


def test_a_checkpoint_that_does_not_fit(tmp_path: Path) -> None:
    folder = Path(TEACHER.model.partition(":")[2])
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 64
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    save_file(load_file(folder / "open_clip_model.safetensors"), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="does not fit the architecture"):
        _ = ClipTeacher(f"local-dir:{tmp_path}").network
