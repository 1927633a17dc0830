"""The CLIP teacher: any model of open_clip, and the embedded one of the generated world."""

import logging
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from syntrans_l2l.cache import tensor_digest
from syntrans_l2l.encoders.text_length import tell_what_is_cut
from syntrans_l2l.networks.pixels import check_images
from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.training.augment import to_float
from syntrans_l2l.training.precision import autocast, resolve

EMBEDDED = "embedded"
Templates = Literal["single", "simple", "openai"]


class ClipTeacher:
    """A frozen CLIP: image and text features in one space.

    Weights are read on first use. The embedded teacher is a folder in open_clip's own format
    and goes through the same code as ViT-B/32; `benchmarks/train_demo_teacher.py` makes it.

    Args:
        model: open_clip's name of an architecture, "local-dir:FOLDER" for a folder with
            open_clip_config.json and weights, or "embedded".
        pretrained: for an architecture: open_clip's tag of the weights, or a checkpoint file.

    Raises:
        ValueError: open_clip does not know `model`, or no weights are named.
    """

    def __init__(self, model: str = EMBEDDED, pretrained: str | None = None) -> None:
        import open_clip

        if model == EMBEDDED:
            model = f"local-dir:{files('syntrans_l2l') / 'assets' / 'demo_clip'}"
            self.source = "embedded CLIP of the generated world"
        else:
            weights = f"/{Path(pretrained).name}" if pretrained else ""
            self.source = f"open_clip {model.rpartition('/')[2]}{weights}"
        if ":" not in model:
            if model not in open_clip.list_models():
                raise ValueError(
                    f"open_clip has no model {model!r}; known: ViT-B-32, ViT-L-14, RN50 and others "
                    "(open_clip.list_models()), local-dir:FOLDER, or embedded"
                )
            if pretrained is None:
                tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)[:4])
                raise ValueError(
                    f"ClipTeacher({model!r}) needs weights: pretrained= one of {tags}, or a file"
                )
        self.model = model
        self.pretrained = pretrained

    @cached_property
    def network(self) -> nn.Module:
        """The open_clip model, frozen, in eval mode, on the CPU.

        Raises:
            FileNotFoundError: the weights are not there and cannot be fetched.
            ValueError: the weights do not fit the architecture.
        """
        import open_clip

        root = logging.getLogger()
        level = root.level
        root.setLevel(logging.CRITICAL)  # open_clip logs to the root what we raise below
        try:
            network = open_clip.create_model(
                self.model, pretrained=self.pretrained, require_pretrained=True
            )
        except Exception as error:
            raise self._explained(error) from error
        finally:
            root.setLevel(level)
        return cast(nn.Module, network.eval().requires_grad_(False))

    @cached_property
    def digest(self) -> str:
        """Hash of the weights, for cache keys."""
        return tensor_digest(self.network.state_dict())[:20]

    @cached_property
    def width(self) -> int:
        """M: of image and text features."""
        return self.text_features(["a photo"]).shape[1]

    @torch.no_grad()
    def image_features(
        self,
        images: Tensor,
        *,
        device: torch.device | None = None,
        batch_size: int = 256,
        progress: Progress = silent,
        stage: str = "teacher's image features",
    ) -> Tensor:
        """Normalised image features, with open_clip's own preprocessing.

        Shapes: images [n, 3, H, W], uint8 or float in [0, 1] -> [n, M] float16 on the CPU.

        Raises:
            ValueError: images of another shape or range.
        """
        check_images(images)
        device = device or torch.device("cpu")
        network = cast(Any, self.network.to(device))
        resize, normalise = self._preprocessing
        dtype = resolve("auto", device)
        features = []
        with progress(stage, total=len(images), unit="img") as advance:
            for batch in images.split(batch_size):
                batch = batch.to(device)
                pixels = batch if batch.dtype == torch.uint8 else (batch * 255).round().byte()
                with autocast(dtype, device):
                    output = network.encode_image(normalise(to_float(resize(pixels))))
                features.append(nn.functional.normalize(output.float(), dim=-1).half().cpu())
                advance(len(batch))
        return torch.cat(features)

    @torch.no_grad()
    def text_features(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Normalised features of texts, [len(texts), M] float32 on the CPU.

        Texts beyond the tokens that the model reads (77 of OpenAI's) are told in the log.
        """
        network = cast(Any, self.network.cpu())
        batches = self._tokens(texts).split(batch_size)
        return torch.cat([network.encode_text(batch, normalize=True).float() for batch in batches])

    def class_features(self, names: Sequence[str], templates: Templates) -> Tensor:
        """Normalised means of the features of each name in all templates, [len(names), M].

        Source: Radford et al., ICML 2021, by open_clip's `build_zero_shot_classifier` and lists.

        Args:
            names: as they are read.
            templates: "simple", open_clip's 7, or "openai", its 80 of ImageNet.

        Raises:
            ValueError: unknown templates.
        """
        import open_clip

        lists = {
            "simple": open_clip.SIMPLE_IMAGENET_TEMPLATES,
            "openai": open_clip.OPENAI_IMAGENET_TEMPLATES,
        }
        if templates not in lists:
            raise ValueError(f"templates must be single, simple or openai, got {templates!r}")
        weights: Tensor = open_clip.build_zero_shot_classifier(
            self.network.cpu(), self._tokens, list(names), lists[templates]
        )  # [M, len(names)]
        return weights.T.float().contiguous()

    def _tokens(self, texts: Sequence[str]) -> Tensor:
        """[len(texts), tokens that are read]; what is cut off is told."""
        tokenizer = self._tokenizer
        if hasattr(tokenizer, "encode"):  # open_clip's own, which leaves out first and last token
            lengths = [len(tokenizer.encode(text)) + 2 for text in texts]
        else:
            cleaned = [tokenizer.clean_fn(text) for text in texts]
            lengths = [len(ids) for ids in tokenizer.tokenizer(cleaned, verbose=False).input_ids]
        tell_what_is_cut(self.source, texts, lengths, tokenizer.context_length)
        return cast(Tensor, tokenizer(list(texts)))

    @cached_property
    def _tokenizer(self) -> Any:
        import open_clip

        return open_clip.get_tokenizer(self.model)

    @cached_property
    def _preprocessing(self) -> tuple[nn.Sequential, nn.Module]:
        """open_clip's transforms of uint8 images, and its normalisation of floats in [0, 1]."""
        from open_clip.transform import PreprocessCfg, image_transform_v2

        settings = cast(Any, self.network.visual).preprocess_cfg
        chain = image_transform_v2(PreprocessCfg(**settings), is_train=False).transforms
        # what stands between them turns a PIL image into a tensor, which ours already are
        *resize, normalise = [step for step in chain if isinstance(step, nn.Module)]
        return nn.Sequential(*resize), normalise

    def _explained(self, error: Exception) -> Exception:
        """The error that a user can act on."""
        reason = " ".join(str(error).split())
        if "state_dict" in reason:
            weights = self.pretrained or self.model
            return ValueError(f"{weights} does not fit the architecture {self.model}: {reason}")
        return FileNotFoundError(
            f"no weights for the teacher {self.source}: {self._wanted()}; put the file there or "
            "name it with pretrained=, or run gin/syntrans_demo.gin, which needs no download "
            f"({reason})"
        )

    def _wanted(self) -> str:
        """Which file is missing and where it is looked for."""
        import open_clip
        from huggingface_hub import constants

        if ":" in self.model:
            return f"open_clip_config.json and weights in {self.model.partition(':')[2]}"
        tag = open_clip.get_pretrained_cfg(self.model, self.pretrained)
        if not tag:
            return f"{self.pretrained} is neither a file nor one of open_clip's tags"
        place = tag.get("hf_hub") or tag.get("url")
        return f"{place} is looked for on the hub and in {constants.HF_HUB_CACHE}"
