"""Vision-language models of transformers, for the observer."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from syntrans_l2l.semantics.language_model import on_device
from syntrans_l2l.semantics.pretrained import pretrained


class ImageTextModel:
    """Any image-text model of transformers: Qwen2.5-VL, LLaVA, BLIP-2 and their like.

    Greedy decoding, one picture at a time.

    Args:
        name_or_path: a hub name, or a local folder with config, processor and weights.
        max_new_tokens: an answer's length at most.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """

    def __init__(self, name_or_path: str, *, max_new_tokens: int = 200) -> None:
        self.pretrained = pretrained(
            name_or_path, kind="image-text model", binding="ImageTextModel.name_or_path"
        )
        self.max_new_tokens = max_new_tokens
        self.source = self.pretrained.label

    def key(self) -> dict[str, object]:
        return {"image_text": self.pretrained.fingerprint, "max_new_tokens": self.max_new_tokens}

    @torch.inference_mode()
    def answer(self, image: Tensor, question: str) -> str:
        """What the model says about one image [3, H, W] uint8."""
        from torchvision.transforms.functional import to_pil_image

        processor, model = self._loaded
        inputs = processor(
            text=_chat(processor, question), images=to_pil_image(image), return_tensors="pt"
        ).to(model.device, model.dtype)
        output = model.generate(**inputs, max_new_tokens=self.max_new_tokens, do_sample=False)
        asked = inputs["input_ids"]
        length = asked.shape[1]
        if torch.equal(output[:, :length], asked):  # most models repeat the question, some do not
            output = output[:, length:]
        return str(processor.batch_decode(output, skip_special_tokens=True)[0])

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        try:
            processor = AutoProcessor.from_pretrained(self.pretrained.location)
            model = AutoModelForImageTextToText.from_pretrained(self.pretrained.location)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"cannot load the image-text model {self.source!r} "
                f"({str(error).splitlines()[0]}); set ImageTextModel.name_or_path to a local "
                "folder or a hub name"
            ) from error
        return processor, on_device(model)


def _chat(processor: Any, question: str) -> str:
    """Question and place of the picture by the chat template; the bare question without one."""
    if getattr(processor, "chat_template", None) is None:
        return question
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}
    return str(processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True))
