"""The benchmark of busy machines: what it says, not how fast."""

import os

import pytest
import torch
from neighbour import CHOICES, SETTINGS, step, table

from syntrans_l2l.cli.threads import give_way


def test_ratios_are_taken_within_a_round() -> None:
    """The machine halves its speed after the first round; the ratio does not move."""
    first, second, third = SETTINGS
    result = {
        "machine": "m", "date": "d", "versions": {"torch": "2"},
        "images_per_second": {
            first: {"alone": [400.0, 200.0, 200.0], "beside": [50.0, 25.0, 25.0]},
            second: {"alone": [400.0, 200.0, 200.0], "beside": [200.0, 100.0, 100.0]},
            third: {"alone": [300.0, 150.0, 150.0], "beside": [250.0, 125.0, 125.0]},
        },
    }  # fmt: skip
    assert table(result).rows == [
        [first, "200", "25", "1.00", "1.00"],
        [second, "200", "100", "1.00", "4.00"],
        [third, "150", "125", "0.75", "5.00"],
    ]


def test_what_it_calls_the_default_is_what_the_commands_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in CHOICES:
        monkeypatch.setenv(name, "x")  # so that it is restored
        monkeypatch.delenv(name)
    give_way()
    chosen = {name: os.environ[name] for name in CHOICES if name in os.environ}
    [ours] = [setting for name, setting in SETTINGS.items() if "default" in name and setting]
    assert chosen == ours


def test_a_process_says_when_it_has_begun_and_how_fast_it_was(
    capsys: pytest.CaptureFixture[str],
) -> None:
    threads = torch.get_num_threads()
    step(0.0)
    torch.set_num_threads(threads)
    begun, speed = capsys.readouterr().out.split()
    assert begun == "begun" and float(speed) > 0
