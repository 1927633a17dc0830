import json

import pytest

from syntrans_l2l.semantics.cleaning import MOST, clean, names_only


def usable(answer: str, class_name: str = "maple_tree") -> list[str]:
    return [phrase for phrase, reason in clean(answer, class_name) if not reason]


PHRASES = ["lobed red leaves", "a broad round crown", "rough grey bark"]


@pytest.mark.parametrize(
    "answer",
    [
        "- lobed red leaves\n- a broad round crown\n- rough grey bark",
        "1. lobed red leaves.\n2) a broad round crown;\n(3) rough grey bark",
        "Sure! Here are some features:\n\n* lobed red leaves\n• a broad round crown\n"
        "– rough grey bark\n\nHope this helps!",
        "lobed red leaves\na broad round crown\nrough grey bark",
        "It has lobed red leaves. A maple tree has a broad round crown. They have rough grey bark.",
        "<think>A maple:\n- it is a tree\n</think>\n- lobed red leaves\n- a broad round crown\n"
        "- rough grey bark",
        json.dumps(PHRASES),
        f"```json\n{json.dumps(PHRASES)}\n```",
        f"Certainly: {json.dumps(PHRASES)} as asked.",
        json.dumps({"features": PHRASES}),
        "- **lobed** red leaves\n- a <b>broad</b> round crown\n- [rough grey bark](http://x.org)",
        "<ul><li>\n- lobed red leaves</li>\n- a broad&nbsp;round crown\n- `rough grey bark`</ul>",
        '- "lobed red leaves"\n- ‘a broad round crown’\n- rough grey bark,',
    ],
)
def test_many_forms_of_one_answer(answer: str) -> None:
    assert usable(answer) == PHRASES


def test_what_is_rejected_stays_with_its_reason() -> None:
    answer = "\n".join(
        [
            "- lobed red leaves",
            "- Lobed red leaves.",
            "- maple trees",
            "- a photo of the maple tree",
            "- bark",
            "- 红色的叶子和宽阔的树冠",
            "- красные листья клена",
            f"- {'very ' * 30}big",
        ]
    )
    reasons = dict(clean(answer, "maple_tree"))
    assert reasons["lobed red leaves"] == ""
    assert reasons["Lobed red leaves"] == "said before"
    assert reasons["maple trees"] == reasons["a photo of the maple tree"] == "names the class only"
    assert reasons["bark"] == "1 words, where 2 to 24 are used"
    assert reasons["красные листья клена"] == "not in English letters"
    assert [reason for phrase, reason in clean(answer, "maple_tree") if phrase[0] == "红"] == [
        "not in English letters"
    ]
    assert sum(reason.startswith("31 words") for reason in reasons.values()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "   \n",
        "[]",
        "{}",
        "- maple tree\n" * 10,
        "- 宽阔的树冠\n- 红叶",
        "***",
        "<p></p>",
        "42.",
    ],
)
def test_nothing_usable_names_the_class(answer: str) -> None:
    with pytest.raises(ValueError, match="no usable phrase about 'maple_tree'"):
        clean(answer, "maple_tree")


def test_ten_thousand_characters() -> None:
    many = "\n".join(f"- a leaf with number {number} on it" for number in range(400))
    judged = clean(many, "maple_tree")
    assert len(judged) == 400
    assert sum(not reason for _, reason in judged) == MOST
    assert judged[-1][1] == f"after the first {MOST} phrases"
    with pytest.raises(ValueError, match=r"in 'leaf leaf.{40,60}' \(2000 words"):
        clean("leaf " * 2000, "maple_tree")


def test_names_alone() -> None:
    assert names_only("the maple trees", "maple_tree")
    assert names_only("a photo of a dalmatian", "n02110341")
    assert not names_only("a red maple tree", "maple_tree")
