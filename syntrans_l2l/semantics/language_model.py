"""Language models that answer questions: the interface, and any model of transformers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol

import torch

from syntrans_l2l.progress import Progress, silent
from syntrans_l2l.semantics.journal import Journal
from syntrans_l2l.semantics.pretrained import pretrained
from syntrans_l2l.training.precision import resolve


class LanguageModel(Protocol):
    """Answers prompts; `source` is what the records call it."""

    source: str

    def key(self) -> dict[str, object]:
        """All that determines an answer, for the journal and the cache."""
        ...

    def answers(self, prompts: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Pairs of prompt and answer, in any order, as they come."""
        ...


def asked(
    model: LanguageModel,
    prompts: Iterable[str],
    journal: Journal,
    *,
    usable: Callable[[str, str], bool] = lambda prompt, answer: True,
    progress: Progress = silent,
    stage: str = "asking",
) -> dict[str, str]:
    """The answer to each prompt; those in the journal are not asked again.

    Args:
        model: who is asked.
        prompts: one that occurs twice is asked once.
        journal: keeps each usable answer as soon as it comes.
        usable: of prompt and answer; one that is not usable is given back but not kept, so
            that the next start asks again.
        progress: draws a bar.
        stage: its title.
    """
    distinct = list(dict.fromkeys(prompts))
    key = model.key()
    known = {prompt: journal.read(key, prompt) for prompt in distinct}
    found = {prompt: answer for prompt, answer in known.items() if answer is not None}
    missing = [prompt for prompt in distinct if prompt not in found]
    with progress(stage, total=len(distinct), unit="answer", done=len(found)) as advance:
        for prompt, answer in model.answers(missing) if missing else ():
            if usable(prompt, answer):
                journal.write(key, prompt, answer)
            found[prompt] = answer
            advance(1)
    return {prompt: found[prompt] for prompt in distinct}


class CausalModel:
    """Any instruction model of transformers: chat template, greedy decoding, in batches.

    Args:
        name_or_path: a hub name, or a local folder with config, tokenizer and weights.
        batch_size: prompts at a time.
        max_new_tokens: an answer's length at most.

    Raises:
        FileNotFoundError: `name_or_path` looks like a folder and is none.
    """

    def __init__(
        self, name_or_path: str, *, batch_size: int = 8, max_new_tokens: int = 300
    ) -> None:
        self.pretrained = pretrained(
            name_or_path, kind="language model", binding="CausalModel.name_or_path"
        )
        self.batch_size = batch_size
        self.max_new_tokens = max_new_tokens
        self.source = self.pretrained.label

    def key(self) -> dict[str, object]:
        return {
            "causal": self.pretrained.fingerprint,
            "max_new_tokens": self.max_new_tokens,
            "decoding": "greedy",
        }

    @torch.inference_mode()
    def answers(self, prompts: Sequence[str]) -> Iterator[tuple[str, str]]:
        tokenizer, model = self._loaded
        for start in range(0, len(prompts), self.batch_size):
            batch = prompts[start : start + self.batch_size]
            texts = [_chat(tokenizer, prompt) for prompt in batch]
            # the template writes the special tokens itself
            tokens = tokenizer(
                texts,
                padding=True,
                return_tensors="pt",
                add_special_tokens=tokenizer.chat_template is None,
            ).to(model.device)
            output = model.generate(
                **tokens,
                max_new_tokens=self.max_new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )
            written = output[:, tokens["input_ids"].shape[1] :]  # [batch, new tokens]
            answers = tokenizer.batch_decode(written, skip_special_tokens=True)
            yield from zip(batch, answers, strict=True)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model, on the GPU where there is one."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            tokenizer = AutoTokenizer.from_pretrained(self.pretrained.location, padding_side="left")
            model = AutoModelForCausalLM.from_pretrained(self.pretrained.location)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"cannot load the language model {self.source!r} ({str(error).splitlines()[0]}); "
                "set CausalModel.name_or_path to a local folder or a hub name"
            ) from error
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer, on_device(model)


def on_device(model: Any) -> Any:
    """The model in eval mode, in half precision where the device computes it, else in float32."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return model.to(device=device, dtype=resolve("auto", device)).eval()


def _chat(tokenizer: Any, prompt: str) -> str:
    """The prompt as the model's chat template has it; as it is where there is none."""
    if tokenizer.chat_template is None:
        return prompt
    turn = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True))
