"""Answers that are written together: joined, cancelled, of several models, on what was read before."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from embedded_fixture import TINY, WORDS

torch = pytest.importorskip("torch")

from ftbuild.embedded.chat import Answer, Choice, chat_request  # noqa: E402
from ftbuild.embedded.embeddings import embedding_request  # noqa: E402
from ftbuild.embedded.llama import Llama, encode  # noqa: E402
from ftbuild.embedded.lora import Lora  # noqa: E402
from ftbuild.embedded.sampler import Sampler  # noqa: E402
from ftbuild.embedded.template import Template  # noqa: E402
from ftbuild.embedded.weights import Base, prepare  # noqa: E402
from ftbuild.embedded.wire import ApiError  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return prepare(TINY, tmp_path_factory.mktemp("cache"), print)


@pytest.fixture
def sampler() -> Iterator[Sampler]:
    found = Sampler(threads=1)
    yield found
    found.stop()


def asking(word: str, **more: Any) -> Any:
    body = {"model": "tiny", "messages": [{"role": "user", "content": word}], "temperature": 0, "max_tokens": 12}
    return chat_request(body | more)


def text(answer: "Future[Answer]") -> str:
    return answer.result(60).choices[0].text


def adapters_in(folder: Path, base: Base, seed: int) -> Path:
    llama = Llama(base.folder, torch.float32)
    lora = Lora.start(llama, 4, 8.0, seed)
    random = torch.Generator().manual_seed(seed)
    for _, up in lora.pieces.values():
        up.normal_(0, 0.3, generator=random)
    lora.write(folder / f"adapters-{seed}", "tiny")
    return folder / f"adapters-{seed}"


def greedy(base: Base, adapters: Path | None, word: str, n_tokens: int) -> str:
    """Return what a model says, one token after the other, all of the text read again each time."""
    template, llama = Template(base.folder), Llama(base.folder, torch.float32)
    lora = Lora.read(adapters).fused(llama) if adapters else None
    prompt = template.prompt([{"role": "user", "content": word}])
    said: list[int] = []
    with torch.inference_mode():
        while len(said) < n_tokens:
            hidden, _ = encode(llama, torch.tensor([prompt + said]), lora=lora)
            token = int(llama.logits(hidden[0, -1]).argmax())
            if token == template.end:
                break
            said.append(token)
    return template.decode(said)


def test_several_models_answer_at_once_each_as_it_would_alone(base: Base, sampler: Sampler, tmp_path: Path) -> None:
    tuned = [None, adapters_in(tmp_path, base, 1), adapters_in(tmp_path, base, 2)]
    asked = [(adapters, word) for word in WORDS[:5] for adapters in tuned]
    answers = [sampler.ask(base, adapters, asking(word)) for adapters, word in asked]
    expected = [greedy(base, adapters, word, 12) for adapters, word in asked]
    assert [text(answer) for answer in answers] == expected
    assert len(set(expected[:3])) == 3


def test_who_joins_a_running_batch_changes_nobodys_answer(base: Base, sampler: Sampler) -> None:
    alone = {word: text(sampler.ask(base, None, asking(word, max_tokens=40))) for word in WORDS}
    joined = threading.Event()
    others: list[Future[Answer]] = []

    def join(_index: int, choice: Choice) -> None:
        if len(choice.text) > 2 and not joined.is_set():
            joined.set()
            others.extend(sampler.ask(base, None, asking(word, max_tokens=40)) for word in WORDS[1:])

    first = sampler.ask(base, None, asking(WORDS[0], max_tokens=40), join)
    assert text(first) == alone[WORDS[0]]
    assert [text(other) for other in others] == [alone[word] for word in WORDS[1:]]


def test_what_was_read_before_is_not_read_again(base: Base, sampler: Sampler) -> None:
    first = sampler.ask(base, None, asking("red light")).result(60)
    again = sampler.ask(base, None, asking("red light")).result(60)
    assert again.choices == first.choices
    assert (first.cached_tokens, again.cached_tokens) == (0, first.prompt_tokens - 1)
    template = Template(base.folder)
    turn = [{"role": "user", "content": "red light"}, {"role": "assistant", "content": first.choices[0].text}]
    longer = asking("", messages=[*turn, {"role": "user", "content": "more"}])
    assert sampler.ask(base, None, longer).result(60).cached_tokens >= first.prompt_tokens
    other = [{"role": "user", "content": "red lamp"}]
    known = sampler.ask(base, None, asking("", messages=other)).result(60).cached_tokens
    ours, theirs = template.prompt([turn[0]]), template.prompt(other)
    assert known == next(at for at in range(len(ours)) if ours[at] != theirs[at])


@pytest.mark.parametrize("n", [2, 40])
def test_what_a_request_reads_itself_was_not_cached_for_its_other_choices(base: Base, sampler: Sampler, n: int) -> None:
    assert sampler.ask(base, None, asking("red light", n=n, max_tokens=2)).result(60).cached_tokens == 0


def test_an_answer_that_nobody_waits_for_makes_room(base: Base, sampler: Sampler) -> None:
    told = threading.Event()
    endless = sampler.ask(base, None, asking("red", max_tokens=8000, temperature=2), lambda *_: told.set())
    assert told.wait(60)
    assert endless.cancel()
    assert text(sampler.ask(base, None, asking("blue"))) == greedy(base, None, "blue", 12)


def test_more_than_there_is_room_for_wait_their_turn(base: Base, sampler: Sampler) -> None:
    answer = sampler.ask(base, None, asking("red", n=100, max_tokens=3)).result(60)
    assert {choice.text for choice in answer.choices} == {greedy(base, None, "red", 3)}
    assert answer.completion_tokens == 300


def test_an_answer_need_not_wait_for_all_that_is_embedded_nor_anybody_for_what_is_cancelled(
    base: Base, sampler: Sampler
) -> None:
    many = embedding_request({"model": "tiny", "input": [[1] * 2000] * 400})
    embedded, unwanted = sampler.embed(base, None, many), sampler.embed(base, None, many)
    assert unwanted.cancel()
    assert text(sampler.ask(base, None, asking("blue", max_tokens=3))) == greedy(base, None, "blue", 3)
    assert embedded.cancel()
    few = embedding_request({"model": "tiny", "input": [[1, 2], [3]]})
    assert len(sampler.embed(base, None, few).result(60).vectors) == 2


def test_choices_are_drawn_apart_and_a_seed_draws_them_again(base: Base, sampler: Sampler) -> None:
    def drawn(**more: Any) -> list[str]:
        answer = sampler.ask(base, None, asking("red", temperature=1.5, n=4, **more)).result(60)
        return [choice.text for choice in answer.choices]

    one = drawn(seed=7)
    assert len(set(one)) == 4
    assert drawn(seed=7) == one
    assert drawn(seed=8) != one
    narrow = drawn(seed=7, top_p=0)
    assert set(narrow) == {greedy(base, None, "red", 12)}


@pytest.mark.parametrize("temperature", [5e-324, 1e-40, 1e-12])
def test_next_to_no_temperature_is_none(base: Base, sampler: Sampler, temperature: float) -> None:
    assert text(sampler.ask(base, None, asking("red", temperature=temperature))) == greedy(base, None, "red", 12)


def test_logprobs_are_those_of_the_model(base: Base, sampler: Sampler) -> None:
    choice = sampler.ask(base, None, asking("red", logprobs=True, top_logprobs=3, max_tokens=5)).result(60).choices[0]
    assert choice.logprobs is not None
    template, llama = Template(base.folder), Llama(base.folder, torch.float32)
    ids = template.prompt([{"role": "user", "content": "red"}])
    for each in choice.logprobs:
        logprobs = llama.logits(encode(llama, torch.tensor([ids]))[0][0, -1]).log_softmax(dim=-1)
        token = int(logprobs.argmax())
        assert each["logprob"] == pytest.approx(float(logprobs[token]), abs=1e-4)
        assert [one["logprob"] for one in each["top_logprobs"]] == pytest.approx(
            logprobs.topk(3).values.tolist(), abs=1e-4
        )
        ids.append(token)
    assert bytes(byte for each in choice.logprobs for byte in each["bytes"]).decode("utf-8", "replace") == choice.text


def test_models_are_let_go_when_nothing_is_answered(base: Base, sampler: Sampler) -> None:
    answer = sampler.ask(base, None, asking("red", max_tokens=30))
    sampler.unload()
    assert text(answer) == greedy(base, None, "red", 30)
    assert sampler.ask(base, None, asking("red")).result(60).cached_tokens == 0


def test_a_model_that_is_gone_fails_its_own_answers_alone(base: Base, sampler: Sampler, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sampler.ask(base, tmp_path / "nowhere", asking("red")).result(60)
    assert text(sampler.ask(base, None, asking("red"))) == greedy(base, None, "red", 12)


def test_what_a_text_holds_back_is_what_may_become_a_stop_or_a_call(base: Base, sampler: Sampler) -> None:
    whole = text(sampler.ask(base, None, asking("red", max_tokens=30)))
    stop = whole[10:13]
    told: list[str] = []
    answer = sampler.ask(
        base, None, asking("red", max_tokens=30, stop=stop), lambda _, choice: told.append(choice.text)
    )
    said = text(answer)
    assert said == whole[: whole.index(stop)]
    assert all(said.startswith(each) for each in told)


@pytest.mark.parametrize("max_tokens", [1, None])
def test_a_text_that_no_model_reads_is_refused(base: Base, sampler: Sampler, max_tokens: int | None) -> None:
    said = r"maximum context length is 8192 tokens. However, your messages resulted in 9019 tokens\."
    with pytest.raises(ApiError, match=said):
        sampler.ask(base, None, asking("x" * 9000, max_tokens=max_tokens)).result(60)


def test_what_is_far_too_long_is_refused_unread(base: Base, sampler: Sampler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Template, "ids", None)
    far = "x" * 1_000_000
    with pytest.raises(ApiError, match=r"your messages resulted in more than 8192 tokens\."):
        sampler.ask(base, None, asking(far)).result(60)
    with pytest.raises(ApiError, match=r"however you requested more than 8192 tokens\."):
        sampler.embed(base, None, embedding_request({"model": "tiny", "input": far})).result(60)


def test_a_stop_has_no_logprobs(base: Base, sampler: Sampler) -> None:
    whole = text(sampler.ask(base, None, asking("red", max_tokens=30)))
    stop = whole[10:13]
    told: list[Choice] = []
    how: dict[str, Any] = {"max_tokens": 30, "stop": stop, "logprobs": True}
    choice = sampler.ask(base, None, asking("red", **how), lambda _, each: told.append(each)).result(60).choices[0]
    for each in (*told, choice):
        assert each.logprobs is not None
        said = bytes(byte for token in each.logprobs for byte in token["bytes"])
        assert said.decode("utf-8", "replace") == each.text
