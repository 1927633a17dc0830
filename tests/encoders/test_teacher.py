import json
from pathlib import Path

import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.generated import Generated
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.semantics.text_encoder import prompts

TEACHER = ClipTeacher("embedded")
IMAGES = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()


def test_image_features_are_those_of_open_clips_own_preprocessing() -> None:
    folder = TEACHER.model
    model, _, preprocess = open_clip.create_model_and_transforms(folder)
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in IMAGES]
    with torch.no_grad():
        expected = model.eval().encode_image(torch.stack([preprocess(p) for p in pictures]))
    features = TEACHER.image_features(IMAGES)
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
