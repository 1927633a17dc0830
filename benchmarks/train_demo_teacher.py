"""Train the embedded CLIP teacher of the generated world from nothing, on two CPU cores.

    python benchmarks/train_demo_teacher.py --out syntrans_l2l/assets/demo_clip

It draws images and captions of the whole attribute space, novel combinations included, as CLIP
has seen the web; the benchmark's own images are drawn from other seeds. It writes a folder in
open_clip's local format and training_log.jsonl: a line an epoch, with the zero-shot accuracy on
validation classes, and at the end one line for novel classes. A killed run resumes.
"""

import argparse
import itertools
import json
import math
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from syntrans_l2l.cache import Cache
from syntrans_l2l.datasets.attributes import VALUES
from syntrans_l2l.datasets.base import Split
from syntrans_l2l.datasets.concepts import FACTS, Concept, attribute_space
from syntrans_l2l.datasets.generated import Generated, class_concepts
from syntrans_l2l.datasets.rendering import render
from syntrans_l2l.encoders.teacher import ClipTeacher
from syntrans_l2l.semantics.demo_describer import VAGUE
from syntrans_l2l.semantics.descriptors import prompt
from syntrans_l2l.semantics.text_encoder import prompts
from syntrans_l2l.training import checkpoint
from syntrans_l2l.training.augment import random_crop, to_float
from syntrans_l2l.training.precision import autocast, resolve

IMAGE_SEED = 10_000  # the benchmark's images are drawn from its own seed, 0 by default
SPECIAL = ("[PAD]", "[UNK]", "[BOS]")
EMBED, CONTEXT = 128, 32


def main() -> int:
    """Draw, train, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_config(arguments.out)
    train(arguments)
    return 0


def write_config(folder: Path) -> None:
    """The architecture and the tokenizer, as open_clip's local-dir reads them."""
    words = vocabulary()
    ids = {word: place for place, word in enumerate((*SPECIAL, *words, "[EOS]"))}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[(word, ids[word]) for word in ("[BOS]", "[EOS]")]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        model_max_length=CONTEXT,
    ).save_pretrained(folder)
    model = {
        "embed_dim": EMBED,
        # images of 32 px are enlarged, because the stem divides each side by four
        "vision_cfg": {"image_size": 64, "layers": [2, 2, 2, 1], "width": 16, "patch_size": None},
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": len(ids),  # [EOS] is the largest id: open_clip pools there
            "width": 128,
            "heads": 4,
            "layers": 2,
            "hf_tokenizer_name": "local",
        },
    }
    preprocess = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"}
    config = {"model_cfg": model, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(
        json.dumps(config, indent=2) + "\n", encoding="utf-8"
    )


def vocabulary() -> list[str]:
    """Every word that captions, class names and the demo describer use."""
    facts = [fact for by_value in FACTS.values() for fact in by_value.values()]
    names = [concept.name for concept in attribute_space()]
    texts = [*facts, *VAGUE, prompt("", ""), *prompts(["", "object"]), " and ".join(("", ""))]
    names = list(itertools.chain.from_iterable(name.split("_") for name in names))
    words = {word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text.lower())}
    return sorted(words | set(names))


def caption(attributes: list[int], chance: random.Random) -> str:
    """What somebody might write under a picture: some of what is there, now and then idle words."""
    values = {name: VALUES[name][place] for (name, place) in zip(VALUES, attributes, strict=True)}
    told = [name for name in values if name == "shape" or chance.random() < 0.75]
    name = Concept(**{each: values[each] for each in told}).name
    if chance.random() < 0.1:
        name = "object"
    if name != "object" and chance.random() < 0.4:
        return prompts([name])[0]
    count = 2 if name == "object" else 1
    phrases = [FACTS[each][values[each]] for each in chance.sample(list(values), count)]
    if chance.random() < 0.15:
        phrases = [*phrases[1:], chance.choice(VAGUE)]
    return prompt(name, " and ".join(chance.sample(phrases, len(phrases))))


def train(arguments: argparse.Namespace) -> None:
    """open_clip's contrastive loss, AdamW, warm-up and cosine decay."""
    torch.manual_seed(arguments.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = open_clip.create_model(f"local-dir:{arguments.out}", load_weights=False)
    model = model.to(device).to(memory_format=torch.channels_last)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{arguments.out}")
    attributes, images = draw(arguments.images, arguments.seed)
    steps = math.ceil(len(images) / arguments.batch_size) * arguments.epochs
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": free, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=arguments.learning_rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    parts: dict[str, Any] = {"model": model, "optimizer": optimizer, "schedule": schedule}
    resume_path = arguments.out / "checkpoint.pt"
    log: list[dict[str, object]] = []
    if (state := checkpoint.load(resume_path)) is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        log = state["log"]
    for epoch in range(len(log), arguments.epochs):
        start = time.perf_counter()
        loss = one_epoch(parts, tokenizer, attributes, images, arguments, epoch)
        export(model, arguments.out)
        seconds = time.perf_counter() - start
        accuracy = zero_shot(ClipTeacher(f"local-dir:{arguments.out}"), "validation")
        log.append(
            {
                "epoch": epoch + 1,
                "loss": round(loss, 4),
                "seconds": round(seconds, 1),
                "validation_zero_shot": round(accuracy, 2),
            }
        )
        tqdm.write(json.dumps(log[-1]))
        states = {name: part.state_dict() for name, part in parts.items()}
        checkpoint.save(resume_path, {**states, "log": log})
    accuracy = zero_shot(ClipTeacher(f"local-dir:{arguments.out}"), "test")
    settings = {name: value for name, value in vars(arguments).items() if name != "out"}
    final = {
        "novel_zero_shot": round(accuracy, 2),
        "settings": settings,
        "torch": torch.__version__,
    }
    lines = [json.dumps(line) for line in [*log, final]]
    (arguments.out / "training_log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tqdm.write(lines[-1])
    resume_path.unlink()


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Attributes [n, 5] drawn uniformly and images [n, 3, 32, 32] of them."""
    generator = torch.Generator().manual_seed(IMAGE_SEED + seed)
    columns = [torch.randint(len(v), (count,), generator=generator) for v in VALUES.values()]
    attributes = torch.stack(columns, 1)
    drawn = [render(part, generator) for part in tqdm(attributes.split(1000), desc="drawing")]
    return attributes, torch.cat(drawn)


def one_epoch(
    parts: dict[str, Any],
    tokenizer: Any,
    attributes: Tensor,
    images: Tensor,
    arguments: argparse.Namespace,
    epoch: int,
) -> float:
    """One pass with fresh captions; the mean loss."""
    model, optimizer, schedule = parts["model"], parts["optimizer"], parts["schedule"]
    device = next(model.parameters()).device
    dtype = resolve("auto", device)
    contrastive = open_clip.ClipLoss()
    chance = random.Random(f"{arguments.seed} {epoch}")
    generator = torch.Generator().manual_seed(1000 * arguments.seed + epoch)
    order = torch.randperm(len(images), generator=generator)
    model.train()
    total = 0.0
    bar = tqdm(order.split(arguments.batch_size), desc=f"epoch {epoch + 1}")
    for batch in bar:
        views = to_float(random_crop(images[batch], 2, generator)).to(device)
        views = torch.nn.functional.interpolate(views, size=64, mode="bicubic").clamp_(0, 1)
        views = views.contiguous(memory_format=torch.channels_last)
        texts = tokenizer([caption(row, chance) for row in attributes[batch].tolist()]).to(device)
        with autocast(dtype, device):
            image = model.encode_image((views - 0.5) / 0.25, normalize=True)
            text = model.encode_text(texts, normalize=True)
        loss = contrastive(image.float(), text.float(), model.logit_scale.exp())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        total += loss.item() * len(batch)
        bar.set_postfix(loss=f"{loss.item():.3f}")
    return total / len(images)


def export(model: torch.nn.Module, folder: Path) -> None:
    """Weights in half precision; open_clip reads them into single."""
    tensors = {
        name: tensor.detach().cpu().half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    save_file(tensors, folder / "open_clip_model.safetensors")


def zero_shot(teacher: ClipTeacher, split_name: str) -> float:
    """Mean 5-way accuracy over all images: each class against every choice of four others.

    The texts tell all that a class tells, more than its name does.
    """
    split: Split = getattr(Generated(images_per_class=240).load(Path(), _cache()), split_name)
    texts = teacher.text_features(prompts([c.name for c in class_concepts()[split_name]]))
    logits = teacher.image_features(split.images).float() @ texts.T  # [n, C]
    own = logits.gather(1, split.labels[:, None])
    better = (logits > own).sum(1).tolist()
    others = len(split.class_names) - 1
    # right where none of the four others, drawn without order, is among the better ones
    right = [math.comb(others - count, 4) / math.comb(others, 4) for count in better]
    return 100 * sum(right) / len(right)


def _cache() -> Cache:
    return Cache(Path(__file__).resolve().parent.parent / "results" / "teacher_cache")


if __name__ == "__main__":
    sys.exit(main())
