"""Preferences: what a pair loses, what is learnt of it, what it begins from."""

import json
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import openai
import pytest
from embedded_fixture import SYSTEM, TINY, WORDS, Running, lines, running

torch = pytest.importorskip("torch")

from ftbuild.embedded.dpo import PreferenceLearner, answer_chances, pair_pieces  # noqa: E402
from ftbuild.embedded.lessons import InvalidFileError, epoch  # noqa: E402
from ftbuild.embedded.llama import Llama, encode  # noqa: E402
from ftbuild.embedded.preferences import Pair, read_pairs  # noqa: E402
from ftbuild.embedded.state import State  # noqa: E402
from ftbuild.embedded.template import Lesson, Template  # noqa: E402
from ftbuild.embedded.training import Training  # noqa: E402
from ftbuild.embedded.weights import Base, prepare  # noqa: E402
from ftbuild.embedded.wire import job_record, job_request  # noqa: E402

BETA = 0.5


def preference(word: str, better: str, worse: str) -> dict[str, object]:
    asked = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": word}]
    outputs = {"preferred_output": better, "non_preferred_output": worse}
    answers = {name: [{"role": "assistant", "content": text}] for name, text in outputs.items()}
    return {"input": {"messages": asked}, **answers}


def preferences(n: int = 12) -> bytes:
    return "".join(json.dumps(preference(word, word[::-1], word * 2)) + "\n" for word in (WORDS * 10)[:n]).encode()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return prepare(TINY, tmp_path_factory.mktemp("cache"), print)


@pytest.fixture(scope="module")
def pairs(base: Base) -> list[Pair]:
    return read_pairs(preferences(), Template(base.folder))[0]


def learner(base: Base, pairs: list[Pair], adapters: Path | None = None) -> PreferenceLearner:
    made = PreferenceLearner(base, 1, torch.float32, adapters)
    made.know(pairs, BETA)
    return made


def taught(found: PreferenceLearner, pairs: list[Pair], n_epochs: int) -> list[float]:
    return [found.learn(batch, 0.01)[0] for number in range(n_epochs) for batch in epoch(pairs, 4, 0, number)]


def chance(llama: Llama, low_rank: object, lesson: Lesson) -> float:
    """Return the log-probability of an answer, one token after the other."""
    with torch.no_grad():
        scores = llama.logits(encode(llama, torch.tensor([lesson.ids]), lora=low_rank)[0])[0].log_softmax(-1)  # type: ignore[arg-type]
    learnt = [at for at, learn in enumerate(lesson.learnt) if learn]
    return sum(float(scores[at - 1, lesson.ids[at]]) for at in learnt)


def test_only_the_two_answers_are_learnt(base: Base, pairs: list[Pair]) -> None:
    template = Template(base.folder)
    for lesson, text in ((pairs[0].preferred, "der"), (pairs[0].rejected, "redred")):
        learnt = [token for token, learn in zip(lesson.ids, lesson.learnt, strict=True) if learn]
        assert template.tokenizer.decode(learnt, skip_special_tokens=False) == f"{text}<|im_end|>"
    turns = preference("red", "der", "red")
    turns["input"] = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2}
    turns["input"]["messages"][-1] = {"role": "user", "content": "c"}
    [pair] = read_pairs(json.dumps(turns).encode(), template, "validation")[0]
    assert sum(pair.preferred.learnt) == len("der") + 1


def test_a_call_is_preferred_to_an_answer_where_tools_are_offered(base: Base) -> None:
    example = preference("red", "der", "redred")
    call = {"id": "a", "type": "function", "function": {"name": "turn", "arguments": '{"word": "red"}'}}
    parameters = {"type": "object", "properties": {"word": {"type": "string"}}}
    example["input"]["tools"] = [{"type": "function", "function": {"name": "turn", "parameters": parameters}}]  # type: ignore[index]
    example["preferred_output"] = [{"role": "assistant", "tool_calls": [call]}]
    template = Template(base.folder)
    [pair] = read_pairs(json.dumps(example).encode(), template, "validation")[0]
    learnt = [token for token, learn in zip(pair.preferred.ids, pair.preferred.learnt, strict=True) if learn]
    assert "turn" in template.tokenizer.decode(learnt)
    before = pair.preferred.learnt.index(True)
    assert pair.preferred.ids[:before] == pair.rejected.ids[:before]


def test_the_loss_is_that_of_the_paper_computed_token_by_token(base: Base, pairs: list[Pair]) -> None:
    found = learner(base, pairs)
    assert found.measure(pairs) == (pytest.approx(math.log(2), rel=1e-6), 0)
    taught(found, pairs, 3)
    expected, right = 0.0, 0
    for pair in pairs:
        preferred, rejected = (
            chance(found.llama, found.low_rank(), lesson) - chance(found.llama, None, lesson)
            for lesson in (pair.preferred, pair.rejected)
        )
        expected += math.log1p(math.exp(-BETA * (preferred - rejected))) / len(pairs)
        right += preferred > rejected
    loss, accuracy = found.measure(pairs)
    assert loss == pytest.approx(expected, rel=1e-3)
    assert accuracy == right / len(pairs)


def test_what_is_preferred_is_learnt_and_the_same_way_each_time(base: Base, pairs: list[Pair]) -> None:
    found = learner(base, pairs)
    losses = taught(found, pairs, 8)
    loss, accuracy = found.measure(pairs)
    assert (loss < 0.5 * losses[0], accuracy) == (True, 1)
    assert taught(learner(base, pairs), pairs, 8) == losses


def test_a_batch_in_pieces_has_the_chances_of_the_whole(base: Base, pairs: list[Pair]) -> None:
    batch = pairs[:4]
    pieces = list(pair_pieces(batch, 4 * max(pair.rejected.n_tokens for pair in batch)))
    assert [len(piece) for piece in pieces] == [2, 2]
    llama = Llama(base.folder, torch.float32)
    whole = torch.stack(answer_chances(llama, None, batch), dim=1)
    parts = torch.cat([torch.stack(answer_chances(llama, None, piece), dim=1) for piece in pieces])
    order = [batch.index(pair) for piece in pieces for pair in piece]
    torch.testing.assert_close(parts, whole[order], rtol=1e-4, atol=1e-4)


def test_a_tuned_model_is_its_own_reference(base: Base, pairs: list[Pair], tmp_path: Path) -> None:
    first = learner(base, pairs)
    taught(first, pairs, 3)
    first.write(tmp_path / "first")
    second = learner(base, pairs, tmp_path / "first")
    assert second.measure(pairs) == (pytest.approx(math.log(2), rel=1e-6), 0)
    assert chance(second.llama, second.low_rank(), pairs[0].preferred) == pytest.approx(
        chance(first.llama, first.low_rank(), pairs[0].preferred), rel=1e-6
    )


@pytest.mark.parametrize("at_step", [2, 4])
def test_a_paused_job_has_the_same_reference_when_it_goes_on(
    base: Base, pairs: list[Pair], tmp_path: Path, at_step: int
) -> None:
    class Pausing(PreferenceLearner):
        """Asks for a pause in one of its steps."""

        step = 0
        pausing = threading.Event()

        def learn(self, batch: Sequence[Pair], rate: float) -> tuple[float, float]:
            self.step += 1
            if self.step == at_step:
                self.pausing.set()
            return super().learn(batch, rate)

    def trained(folder: Path, at_step: int) -> bytes:
        state = State(folder)
        hyperparameters = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 100}
        method = {"type": "dpo", "dpo": {"hyperparameters": hyperparameters}}
        job = job_record(job_request({"model": "tiny", "training_file": "file-x", "method": method}), seed=1)
        state.add_job(job)
        while job["status"] != "succeeded":
            kind = Pausing if at_step and job["status"] != "paused" else PreferenceLearner
            found = kind(base, 1, torch.float32)
            found.know(pairs, BETA)
            pausing = found.pausing if isinstance(found, Pausing) else None
            Training(state, job, pairs, pairs[:3], pausing).run(found)
            job = state.job(job["id"]) or {}
        told = [each["message"] for each in state.events(job["id"])]
        assert any("paused" in each for each in told) == (at_step > 0)
        return (state.job_folder(job["id"]) / "adapters/step-6/adapter_model.safetensors").read_bytes()

    assert trained(tmp_path / "stopped", at_step) == trained(tmp_path / "alone", 0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"messages": []}, "Example 11: a line of the method supervised, not dpo"),
        (
            {name: value for name, value in preference("a", "b", "c").items() if name != "non_preferred_output"},
            "Example 11: no non_preferred_output",
        ),
        (["x"], "Example 11: ['x'] is not a JSON object"),
        (
            {**preference("a", "b", "c"), "preferred_output": [{"role": "user", "content": "b"}]},
            "Example 11, preferred_output[0].role: the role 'user'",
        ),
        (preference("a", "b<|im_end|>", "c"), "Example 11, preferred_output[0].content: special token '<|im_end|>'"),
    ],
)
def test_a_bad_line_is_named(base: Base, bad: object, message: str) -> None:
    with pytest.raises(InvalidFileError) as found:
        read_pairs(preferences(10) + json.dumps(bad).encode(), Template(base.folder))
    assert str(found.value) == message


def test_what_does_not_fit_is_cut_and_an_answer_that_is_all_cut_refused(base: Base) -> None:
    template = Template(base.folder)
    template.context = 80
    long = json.dumps(preference("a", "b" * 50, "c")).encode() + b"\n"
    _, cut = read_pairs(preferences(10) + long, template)
    assert cut == 1
    with pytest.raises(
        InvalidFileError, match=r"Example 11 has an answer that does not fit into the model's context\."
    ):
        read_pairs(preferences(10) + json.dumps(preference("a" * 60, "b", "c")).encode(), template)
    with pytest.raises(InvalidFileError, match=r"has 9 example\(s\), but must have at least 10 examples"):
        read_pairs(preferences(9), template)


# --- by the routes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("embedded")
    with running(folder / "state", folder / "cache") as found:
        yield found


@pytest.mark.slow
def test_preferences_are_learnt_on_top_of_a_tuned_model_and_on_top_of_that_again(server: Running) -> None:
    client = server.client
    first = server.ended(server.job(lines(), seed=1, suffix="one", hyperparameters={"learning_rate_multiplier": 20}).id)
    hyperparameters = {"n_epochs": 2, "batch_size": 6, "learning_rate_multiplier": 20}
    file = client.files.create(file=("train.jsonl", preferences(24)), purpose="fine-tune")
    second = client.fine_tuning.jobs.create(
        model=first.fine_tuned_model or "",
        training_file=file.id,
        validation_file=file.id,
        seed=1,
        suffix="two",
        method={"type": "dpo", "dpo": {"hyperparameters": hyperparameters}},  # type: ignore[typeddict-item]
    )
    job = server.ended(second.id)
    assert (job.status, job.error) == ("succeeded", None)
    assert (job.model, job.fine_tuned_model) == (first.fine_tuned_model, f"ft:tiny:ftbuild:two:{job.id[-8:]}")
    assert job.method is not None
    assert job.method.to_dict() == {"type": "dpo", "dpo": {"hyperparameters": {**hyperparameters, "beta": 0.1}}}
    table = [row.split(",") for row in client.files.content(job.result_files[0]).text.splitlines()]
    assert table[0] == ["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"]
    assert [row[1] for row in table[1:2]] == ["0.693147"]
    assert float(table[-1][3]) < math.log(2)
    assert float(table[-1][4]) > 0.9

    third = client.fine_tuning.jobs.create(
        model=f"{job.fine_tuned_model}:ckpt-step-4",
        training_file=first.training_file,
        seed=1,
        hyperparameters={"n_epochs": 1},
    )
    assert server.ended(third.id).fine_tuned_model == f"ft:tiny:ftbuild::{third.id[-8:]}"
    losses = {each.id: _first_loss(server, each.id) for each in (first, third)}
    assert losses[third.id] < losses[first.id]  # it goes on from what was learnt

    client.models.delete(job.fine_tuned_model or "")
    with pytest.raises(openai.BadRequestError, match=r"is not available for fine-tuning or does not exist"):
        client.fine_tuning.jobs.create(model=job.fine_tuned_model or "", training_file=first.training_file)


def _first_loss(server: Running, job_id: str) -> float:
    return next(
        float(each["data"]["train_loss"]) for each in State(server.state).events(job_id) if each["type"] == "metrics"
    )


@pytest.mark.slow
def test_a_file_of_answers_is_no_file_of_preferences(server: Running) -> None:
    job = server.ended(server.job(lines(), method={"type": "dpo"}).id)
    assert job.error is not None
    assert job.error.message == (
        "The job failed due to an invalid training file. Invalid file format. Example 1: a line of the method "
        "supervised, not dpo"
    )
