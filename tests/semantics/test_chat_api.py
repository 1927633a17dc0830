"""The chat API against a real HTTP server on loopback, which can be made to misbehave."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tiny_models
from common import REPOSITORY

from syntrans_l2l.semantics.chat_api import ChatApi
from syntrans_l2l.semantics.model_describer import ModelDescriber

pytest.importorskip("openai", reason="the extra `api` is not installed")

NAMES = [f"thing_{number}" for number in range(100)]


class Stub:
    """A chat server.

    `misbehave(name, attempt)` gives None to answer well, or (status, headers, body), or
    "stall" to say nothing until `released`. `answered` counts the good answers a class, `most`
    is how many requests were there at once.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.here = self.most = 0
        self.misbehave: Callable[[str, int], object] = lambda name, attempt: None
        self.released = threading.Event()
        self.lock = threading.Lock()
        self.url = ""

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        assert body["temperature"] == 0 and handler.path == "/v1/chat/completions"
        prompt = body["messages"][0]["content"]
        name = prompt.split("recognises a ")[1].split(" in a photograph")[0].replace(" ", "_")
        with self.lock:
            self.asked[name] += 1
            self.keys.add(handler.headers["Authorization"])
            self.here += 1
            self.most = max(self.most, self.here)
            fault = self.misbehave(name, self.asked[name])
            if fault is None:
                self.answered[name] += 1
        if fault == "stall":
            self.released.wait(30)
        elif fault is None:
            time.sleep(0.01)
        with self.lock:
            self.here -= 1  # before the answer, after which the client may ask again
        if fault == "drop":
            handler.connection.close()
        elif isinstance(fault, tuple):
            send(handler, *fault)
        elif fault is None:
            said = f"- a {name} of colour {len(name)}\n- the size of {name} and more"
            send(handler, 200, "application/json", completion(said))


def completion(said: str | None) -> str:
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )


def send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: str) -> None:
    data = body.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


@contextmanager
def serving() -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stub.respond(self)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: object) -> None:
            """A client that is killed or a connection that is dropped is part of the test."""

    server = Server(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield stub
    stub.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving() as made:
        yield made


def describer(stub: Stub, journal: Path, **settings: object) -> ModelDescriber:
    defaults = {"key_variable": "", "timeout": 0.5, "retries": 2, "concurrency": 4}
    api = ChatApi("m", base_url=stub.url, **{**defaults, **settings})  # type: ignore[arg-type]
    return ModelDescriber(api, journal=str(journal))


def test_every_class_is_asked_once_and_no_more_at_once_than_allowed(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "secret-7")
    found = describer(stub, tmp_path, key_variable="MY_KEY", timeout=30).describe(NAMES)
    assert list(dict.fromkeys(d.class_name for d in found)) == NAMES
    assert set(stub.asked.values()) == {1} and len(stub.asked) == 100
    assert 2 <= stub.most <= 4
    assert stub.keys == {"Bearer secret-7"}
    assert not any("secret-7" in file.read_text() for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    "fault",
    [
        (429, "application/json", '{"error": {"message": "slow down"}}'),
        (503, "text/plain", "busy"),
        "stall",
        "drop",
    ],
    ids=["429", "503", "stall", "drop"],
)
def test_passing_trouble_is_waited_out(stub: Stub, tmp_path: Path, fault: object) -> None:
    stub.misbehave = lambda name, attempt: fault if attempt == 1 else None
    found = describer(stub, tmp_path).describe(NAMES[:4])
    assert len({d.class_name for d in found}) == 4
    assert set(stub.asked.values()) == {2}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ((500, "text/plain", "broken"), r"no answer to 1 of 6 prompts \(InternalServerError"),
        ((200, "text/html", "<html>hello</html>"), "no chat completion in '<html>"),
        ((200, "application/json", "{nonsense"), "no answer to 1 of 6 prompts"),
        ((200, "application/json", '{"choices": []}'), "no chat completion"),
        ("stall", r"no answer to 1 of 6 prompts \(APITimeoutError"),
    ],
    ids=["500", "html", "no json", "no choice", "stall"],
)
def test_lasting_trouble_with_one_class_loses_no_other(
    stub: Stub, tmp_path: Path, fault: object, message: str
) -> None:
    stub.misbehave = lambda name, attempt: fault if name == "thing_2" else None
    mine = describer(stub, tmp_path, retries=1, timeout=3 if fault == "stall" else 60)
    with pytest.raises(ConnectionError, match=message) as caught:
        mine.describe(NAMES[:6])
    assert "\n" not in str(caught.value) and "a thing 2" in str(caught.value)
    stub.misbehave = lambda name, attempt: None
    assert len({d.class_name for d in mine.describe(NAMES[:6])}) == 6
    assert set(stub.answered.values()) == {1}


def test_useless_answers(stub: Stub, tmp_path: Path) -> None:
    answers = {"thing_1": None, "thing_3": "thing 3\n" * 10, "thing_4": "对不起"}
    stub.misbehave = lambda name, attempt: (
        (200, "application/json", completion(answers[name])) if name in answers else None
    )
    mine = describer(stub, tmp_path)
    with pytest.raises(ValueError, match=r"3 of 6 classes have no usable answer.*'thing_1'"):
        mine.describe(NAMES[:6])
    stub.misbehave = lambda name, attempt: None
    mine.describe(NAMES[:6])
    assert [stub.asked[name] for name in NAMES[:6]] == [1, 2, 1, 2, 2, 1]


def test_a_wrong_key_ends_it_at_once(stub: Stub, tmp_path: Path) -> None:
    stub.misbehave = lambda name, attempt: (401, "application/json", '{"error": {"message": "no"}}')
    with pytest.raises(ConnectionError, match="AuthenticationError"):
        describer(stub, tmp_path, concurrency=1).describe(NAMES)
    assert sum(stub.asked.values()) < 10


def test_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="no API key: set the environment variable OPENAI_API_KEY"):
        ChatApi("m")
    with pytest.raises(ValueError, match="concurrency, timeout and max_tokens above 0"):
        ChatApi("m", key_variable="", concurrency=0)
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r"pip install 'syntrans-l2l\[api\]'"):
        ChatApi("m", key_variable="")


def test_killed_half_way_and_started_again(stub: Stub, tmp_path: Path) -> None:
    """No class answered twice, none lost, and the file of an undisturbed run, byte for byte."""
    encoder = str(tiny_models.sentence_encoder(tmp_path / "encoder"))

    def command(out: str) -> list[str]:
        """As a user would type it."""
        bindings = [
            f"CHAT_URL = {stub.url!r}",
            "ChatApi.key_variable = ''",
            "ChatApi.timeout = 60",
            f"ModelDescriber.journal = {str(tmp_path / out / 'answers')!r}",
            f"SENTENCE_ENCODER = {encoder!r}",
            "SynMine.describer = @ModelDescriber()",
            "Mining.dataset = None",
            f"Mining.class_names = {NAMES!r}",
        ]
        arguments = [sys.executable, str(REPOSITORY / "benchmarks" / "mine.py")]
        arguments += ["--gin", str(REPOSITORY / "gin" / "semantics" / "chat_api.gin")]
        for binding in bindings:
            arguments += ["--set", binding]
        return [*arguments, "--out", str(tmp_path / out / "bank.json")]

    undisturbed = subprocess.run(command("undisturbed"), capture_output=True, text=True)
    assert undisturbed.returncode == 0, undisturbed.stderr
    stub.asked.clear()
    stub.answered.clear()
    stub.misbehave = lambda name, attempt: "stall" if sum(stub.answered.values()) == 50 else None
    process = subprocess.Popen(
        command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    answers = tmp_path / "killed" / "answers"
    while len(list(answers.glob("*.json"))) < 50:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert len(list(answers.glob("*.json"))) == 50
    assert not (tmp_path / "killed" / "bank.json").exists()
    stub.misbehave = lambda name, attempt: None
    stub.released.set()
    resumed = subprocess.run(command("killed"), capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert len(stub.answered) == 100 and set(stub.answered.values()) == {1}
    for file in ("bank.json", "bank.safetensors"):
        one, other = (tmp_path / out / file for out in ("undisturbed", "killed"))
        assert one.read_bytes() == other.read_bytes()
