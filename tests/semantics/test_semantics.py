import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.semantics.bank import SemanticBank
from syntrans_l2l.semantics.text_encoder import (
    OpenClipText,
    SentenceEncoder,
    VectorFile,
    prompts,
)

NAMES = ("maple_tree", "bed", "crab")


def write_npz(path: Path, vectors: npt.NDArray[np.float64], names: tuple[str, ...] = NAMES) -> Path:
    np.savez(path, class_names=np.array(names), vectors=vectors)
    return path


def test_vectors_come_in_the_order_asked_for(tmp_path: Path) -> None:
    vectors = np.arange(1.0, 13.0).reshape(3, 4)
    npz = write_npz(tmp_path / "v.npz", vectors)
    metadata = {"class_names": json.dumps(NAMES)}
    save_file({"vectors": torch.from_numpy(vectors)}, tmp_path / "v.safetensors", metadata)
    for path in (npz, tmp_path / "v.safetensors"):
        bank = VectorFile(path).encode_classes(["crab", "maple_tree"])
        assert bank.vectors.tolist() == vectors[[2, 0]].tolist()
        assert bank.source == path.name


def test_bad_vector_files(tmp_path: Path) -> None:
    good = np.ones((3, 4))
    with pytest.raises(ValueError, match="lacks vectors for 2 of 3 classes: boy, girl"):
        VectorFile(write_npz(tmp_path / "a.npz", good)).encode_classes(["bed", "boy", "girl"])
    good[1, 2] = np.nan
    with pytest.raises(ValueError, match="NaN, infinite or zero: bed"):
        VectorFile(write_npz(tmp_path / "b.npz", good)).encode_classes(["crab"])
    with pytest.raises(ValueError, match=r"shape\s+\[3, M\], got \[2, 4\]"):
        VectorFile(write_npz(tmp_path / "c.npz", np.ones((2, 4)))).read()
    with pytest.raises(ValueError, match="occur twice: bed"):
        VectorFile(write_npz(tmp_path / "d.npz", np.ones((2, 4)), ("bed", "bed"))).read()
    (tmp_path / "e.npz").write_bytes(b"no zip file")
    with pytest.raises(ValueError, match=r"cannot be read \(.*save it with numpy\.savez"):
        VectorFile(tmp_path / "e.npz").read()
    with pytest.raises(FileNotFoundError, match="no file of class vectors"):
        VectorFile(tmp_path / "none.npz")


def test_names_are_compared_by_their_normal_form_and_by_case(tmp_path: Path) -> None:
    vectors = np.arange(1.0, 13.0).reshape(3, 4)
    file = VectorFile(write_npz(tmp_path / "v.npz", vectors, ("cafe\u0301", "Apple", "apple")))
    names = ["apple", "caf\u00e9", "Apple"]
    assert file.encode_classes(names).vectors.tolist() == vectors[[2, 0, 1]].tolist()
    with pytest.raises(ValueError, match=r"lacks .* APPLE_ \(there is 'Apple'\), bed; add"):
        file.encode_classes(["APPLE_", "bed"])
    twice = write_npz(tmp_path / "w.npz", vectors[:2], ("cafe\u0301", "caf\u00e9"))
    with pytest.raises(ValueError, match="occur twice: caf\u00e9"):
        VectorFile(twice).read()


def test_a_pickle_in_an_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", class_names=np.array([print], dtype=object), vectors=np.ones(1))
    with pytest.raises(ValueError, match="allow_pickle"):
        VectorFile(tmp_path / "p.npz").read()


def test_shuffling_moves_every_class_and_keeps_every_vector() -> None:
    bank = SemanticBank(tuple("abcdefgh"), torch.eye(8), "eye")
    shuffled = bank.shuffled(0)
    assert not (shuffled.vectors * torch.eye(8)).any()
    assert torch.equal(shuffled.vectors.sum(0), torch.ones(8))
    assert torch.equal(bank.shuffled(0).vectors, shuffled.vectors)
    assert bank.digest != shuffled.digest


def test_a_sentence_encoder_takes_the_mean_of_its_tokens(tmp_path: Path) -> None:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "a",
        "photo",
        "of",
        "bed",
        "maple",
        "tree",
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    (tmp_path / ".cache").mkdir()  # as the hub leaves one; red before: read as a file
    torch.manual_seed(0)
    config = BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1,
                        num_attention_heads=2, intermediate_size=16)  # fmt: skip
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path)
    bank = SentenceEncoder(str(tmp_path)).encode_classes(["bed", "maple_tree"])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    for name, vector in zip(("bed", "maple tree"), bank.vectors, strict=True):
        # alone, without padding
        tokens = tokenizer(f"a photo of a {name}", return_tensors="pt")
        with torch.no_grad():
            hidden = model(**tokens).last_hidden_state[0]
        torch.testing.assert_close(vector, F.normalize(hidden.mean(0), dim=0), atol=1e-5, rtol=1e-4)


def test_a_missing_sentence_encoder() -> None:
    with pytest.raises(FileNotFoundError, match="no sentence encoder folder"):
        SentenceEncoder("/nowhere/at/all")


def test_open_clips_text_tower(tmp_path: Path) -> None:
    import open_clip

    config = {
        "embed_dim": 12,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 16,
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 32,
            "heads": 2,
            "layers": 1,
        },
    }
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-clip")
    torch.save(model.state_dict(), tmp_path / "tiny.pt")
    teacher = ClipTeacher("tiny-clip", str(tmp_path / "tiny.pt"))
    bank = OpenClipText(teacher).encode_classes(NAMES)
    with torch.no_grad():
        tokens = open_clip.get_tokenizer("tiny-clip")(["a photo of a maple tree"])
        expected = F.normalize(model.eval().encode_text(tokens), dim=-1)[0]
    torch.testing.assert_close(bank.vectors[0], expected)
    assert bank.vectors.shape == (3, 12)


def test_prompts_read_as_english() -> None:
    assert prompts(["maple_tree"]) == ["a photo of a maple tree"]
