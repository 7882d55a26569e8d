"""Examples before a question: of the training split, the same before every one, whatever else is there."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ftbuild.evaluate.shots import drawn, with_shots

IDS = st.lists(st.text("abc", min_size=1, max_size=4), unique=True, max_size=8)


def said(*roles: str) -> list[dict[str, Any]]:
    return [{"role": role, "content": f"{role} {number}"} for number, role in enumerate(roles)]


@given(IDS, st.integers(1, 9), st.integers(0, 3), st.randoms())
def test_the_draw_depends_on_the_seed_and_on_the_examples_alone(ids: list[str], n: int, seed: int, random: Any) -> None:
    examples = [{"id": each} for each in ids]
    found = drawn(examples, n, seed)
    turned = list(examples)
    random.shuffle(turned)
    assert drawn(turned, n, seed) == found
    assert len(found) == min(n, len(ids))
    assert drawn(examples, n + 1, seed)[: len(found)] == found  # one more is one more


def test_another_seed_draws_others() -> None:
    examples = [{"id": str(each)} for each in range(50)]
    assert {each["id"] for each in drawn(examples, 5, 1)} != {each["id"] for each in drawn(examples, 5, 2)}


def test_the_system_text_is_said_once_and_the_question_comes_last() -> None:
    shot = said("system", "user", "assistant")
    called = said("developer", "user", "assistant", "tool", "assistant")
    found = with_shots(said("system", "user"), [shot, called])
    assert [each["content"] for each in found] == [
        *("system 0", "user 1", "assistant 2", "user 1", "assistant 2", "tool 3", "assistant 4", "user 1"),
    ]
    assert with_shots(said("user"), [shot]) == [*shot[1:], *said("user")]
    assert with_shots(said("system", "user"), []) == said("system", "user")
