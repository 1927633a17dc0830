"""Language models behind an HTTP server that speaks the OpenAI chat API."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

_HOPELESS = (401, 403, 404)  # a wrong key, model or address: other prompts fare no better


class ChatApi:
    """vLLM, llama.cpp, Ollama or a hosted model, through the `openai` client.

    The client waits and tries again where the server is busy (429), fails (5xx), is slow or
    cannot be reached.

    Args:
        model: as the server calls it.
        base_url: of the server, with its /v1; None is OpenAI's own.
        key_variable: the environment variable that holds the key; empty for a server that
            asks for none.
        concurrency: requests at a time.
        timeout: seconds that one request may take.
        retries: further tries of one request.
        max_tokens: an answer's length at most.

    Raises:
        ImportError: the `openai` client is not installed.
        ValueError: no key, or a number that is not positive.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 5,
        max_tokens: int = 600,
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise ImportError(
                "ChatApi needs the openai client: pip install 'syntrans-l2l[api]'"
            ) from error
        if min(concurrency, timeout, max_tokens) <= 0 or retries < 0:
            raise ValueError(
                "ChatApi needs concurrency, timeout and max_tokens above 0 and retries of 0 or "
                f"more, got {concurrency}, {timeout}, {max_tokens} and {retries}"
            )
        key = os.environ.get(key_variable, "") if key_variable else "none"
        if not key:
            raise ValueError(
                f"no API key: set the environment variable {key_variable}, or "
                "ChatApi.key_variable = '' for a server that asks for none"
            )
        self.model = model
        self.base_url = base_url
        self.concurrency = concurrency
        self.max_tokens = max_tokens
        self.source = model
        self._client = openai.OpenAI(
            api_key=key, base_url=base_url, timeout=timeout, max_retries=retries
        )

    def key(self) -> dict[str, object]:
        return {
            "chat": self.model,
            "base_url": self.base_url,
            "max_tokens": self.max_tokens,
            "temperature": 0,
        }

    def answers(self, prompts: Sequence[str]) -> Iterator[tuple[str, str]]:
        """As the interface says.

        Raises:
            ConnectionError: the server gave no answer to some prompts, after all retries; the
                others were yielded first.
        """
        import openai

        failed: dict[str, Exception] = {}
        pool = ThreadPoolExecutor(max_workers=self.concurrency)
        try:
            waiting = {pool.submit(self._ask, prompt): prompt for prompt in prompts}
            for future in as_completed(waiting):
                try:
                    yield waiting[future], future.result()
                except (openai.OpenAIError, ValueError) as error:
                    failed[waiting[future]] = error
                    if getattr(error, "status_code", None) in _HOPELESS:
                        break
        finally:
            pool.shutdown(cancel_futures=True)
        if failed:
            prompt, first = next(iter(failed.items()))
            raise ConnectionError(
                f"{self.source}: no answer to {len(failed)} of {len(prompts)} prompts "
                f"({type(first).__name__}: {' '.join(str(first).split())[:120]}, to "
                f"{prompt[:60]!r}); start again to ask these alone"
            ) from first

    def _ask(self, prompt: str) -> str:
        completion: Any = self._client.chat.completions.create(
            model=self.model,
            messages=[{"role": "user", "content": prompt}],
            temperature=0,
            max_tokens=self.max_tokens,
        )
        try:
            return str(completion.choices[0].message.content or "")
        except (AttributeError, IndexError, TypeError) as error:
            raise ValueError(f"no chat completion in {str(completion)[:60]!r}") from error
