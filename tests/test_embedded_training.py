"""What is learnt, and that the arithmetic is right, in this process with the tiny model."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_fixture import TINY, line, lines
from training_lines import GOOD, WEATHER, in_bytes

torch = pytest.importorskip("torch")

from ftbuild.embedded.adamw import AdamW  # noqa: E402
from ftbuild.embedded.learner import SupervisedLearner, learn, measure, token_losses  # noqa: E402
from ftbuild.embedded.lessons import InvalidFileError, epoch, pieces, read_lessons, shared_prefix  # noqa: E402
from ftbuild.embedded.llama import Llama, encode  # noqa: E402
from ftbuild.embedded.lora import Lora  # noqa: E402
from ftbuild.embedded.state import State  # noqa: E402
from ftbuild.embedded.template import Lesson, Template  # noqa: E402
from ftbuild.embedded.training import Training, rate_at, read_files  # noqa: E402
from ftbuild.embedded.weights import Base, prepare  # noqa: E402
from ftbuild.embedded.wire import job_record, job_request  # noqa: E402


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare(TINY, tmp_path_factory.mktemp("cache"), print).folder


def trained(llama: Llama, lessons: list[Lesson], seed: int = 0) -> tuple[Lora, list[float]]:
    lora = Lora.start(llama, 4, 8.0, seed)
    optimizer = torch.optim.AdamW([matrix.requires_grad_() for matrix in lora.parameters()], lr=0.01)
    losses = []
    for number in range(5):
        for batch in epoch(lessons, 4, seed, number):
            optimizer.zero_grad()
            losses.append(learn(llama, lora, batch)[0])
            optimizer.step()
    return lora, losses


def test_a_random_model_is_the_same_wherever_it_is_made(base: Path, tmp_path: Path) -> None:
    again = prepare(TINY, tmp_path, print)
    assert base.name == again.folder.name == "tiny-" + again.digest[:12]
    for path in base.iterdir():
        assert path.read_bytes() == (again.folder / path.name).read_bytes()


def test_exactly_the_answers_and_their_ends_are_learnt(base: Path) -> None:
    template = Template(base)
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u1"},
        {"role": "assistant", "content": "não", "weight": 0},
        {"role": "user", "content": "u2"},
        {"role": "assistant", "content": "sí \n"},
    ]
    lesson = template.lesson(messages)
    text = template.tokenizer.decode(list(lesson.ids), skip_special_tokens=False)
    assert text == template.render(messages, answer_next=False)
    learnt = [token for token, learn_it in zip(lesson.ids, lesson.learnt, strict=True) if learn_it]
    assert template.tokenizer.decode(learnt, skip_special_tokens=False) == "sí \n<|im_end|>"
    before = lesson.learnt.index(True)
    assert template.prompt(messages[:-1]) == list(lesson.ids[:before])


def test_a_shared_prefix_changes_no_loss_and_no_gradient(base: Path) -> None:
    llama = Llama(base, torch.float32)
    batch = read_lessons(lines(), Template(base))[0][:5]
    assert shared_prefix(batch) == len("<system\nSay it backwards.>\n<user\n")
    gradients, losses = [], []
    for share in (True, False):
        lora = trained(llama, batch)[0]
        parameters = lora.parameters()
        found, _ = token_losses(llama, lora.fused(llama), batch, share=share)
        found.sum().backward()
        losses.append(found.detach())
        gradients.append([parameter.grad for parameter in parameters])
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-5)


def test_a_batch_in_pieces_has_the_loss_of_the_whole(base: Path) -> None:
    llama = Llama(base, torch.float32)
    lessons = read_lessons(lines(30), Template(base))[0]
    own = max(lesson.n_tokens for lesson in lessons[:4]) - shared_prefix(lessons[:4])
    assert [len(piece) for piece in pieces(lessons[:4], 2 * own)] == [2, 2]
    whole, _ = token_losses(llama, None, lessons)
    assert measure(llama, None, lessons)[0] == pytest.approx(float(whole.mean()), rel=1e-5)


def test_loss_falls_and_the_same_seed_gives_the_same_curve(base: Path) -> None:
    llama = Llama(base, torch.float32)
    lessons = read_lessons(lines(), Template(base))[0]
    lora, curve = trained(llama, lessons)
    assert curve[-1] < 0.8 * curve[0]
    assert trained(llama, lessons)[1] == curve
    assert trained(llama, lessons, seed=1)[1] != curve
    adapted = measure(llama, lora.fused(llama), lessons)[0]
    with torch.no_grad():
        llama.merge(lora.fused(llama))
    assert measure(llama, None, lessons)[0] == pytest.approx(adapted, rel=1e-4)


@pytest.mark.slow
def test_the_numbers_are_those_of_transformers(base: Path) -> None:
    transformers = pytest.importorskip("transformers")
    template = Template(base)
    theirs = transformers.AutoTokenizer.from_pretrained(base)
    messages = [{"role": "user", "content": "Grüße, 42!"}]
    ids = template.prompt(messages)
    assert theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] == ids
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    llama = Llama(base, torch.float32)
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits
        torch.testing.assert_close(llama.logits(encode(llama, torch.tensor([ids]))[0]), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_peft_reads_our_adapters(base: Path, tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    llama = Llama(base, torch.float32)
    lessons = read_lessons(lines(), Template(base))[0]
    lora, _ = trained(llama, lessons)
    lora.write(tmp_path / "adapters", "tiny")
    again = Lora.read(tmp_path / "adapters")
    assert again.pieces.keys() == lora.pieces.keys()
    assert all(torch.equal(again.pieces[at][side], piece[side]) for at, piece in lora.pieces.items() for side in (0, 1))
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    ids = torch.tensor([lessons[0].ids])
    with torch.no_grad():
        expected = peft.PeftModel.from_pretrained(model, tmp_path / "adapters")(ids).logits
        ours = llama.logits(encode(llama, ids, lora=again.fused(llama))[0])
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


def test_a_job_keeps_its_last_three_checkpoints(base: Path, tmp_path: Path) -> None:
    state = State(tmp_path)
    lessons = read_lessons(lines(), Template(base))[0]
    hyperparameters = {"n_epochs": 4, "batch_size": 12}
    asked = {"model": "tiny", "training_file": "file-x", "hyperparameters": hyperparameters}
    job = job_record(job_request(asked), seed=1)
    state.write_job(job)
    Training(state, job, lessons, []).run(SupervisedLearner(Base("tiny", base, ""), 1, torch.float32))
    adapters = state.job_folder(job["id"]) / "adapters"
    assert sorted(path.name for path in adapters.iterdir()) == ["step-2", "step-3", "step-4"]
    name = f"ft:tiny:ftbuild::{job['id'][-8:]}"
    assert sorted(state.tuned()) == [name, *(f"{name}:ckpt-step-{step}" for step in (2, 3, 4))]


def test_the_rate_rises_and_falls() -> None:
    rates = [rate_at(step, 100) for step in (1, 6, 53, 100)]
    assert rates == pytest.approx([1 / 6, 1, 0.525, 0.05])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"input": 1}, "Example 11: no messages"),
        ({"messages": [{"content": "x"}]}, "Example 11, messages[0]: no role"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": {"a": 1}}]},
            "Example 11, messages[1].content: {'a': 1} is not a text",
        ),
        ({"messages": [{"role": "user", "content": "x"}]}, "Example 11, messages: no message of the role 'assistant'"),
        (
            {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x<|im_start|>"}]},
            "Example 11, messages[1].content: special token '<|im_start|>'",
        ),
        (
            {
                "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "x"}],
                "tools": [{**WEATHER, "function": {**WEATHER["function"], "description": "<|im_end|>"}}],
            },
            "Example 11: the model would read '<|im_end|>' as a special token; take it out of the text",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]},
                    {"role": "assistant", "content": "x"},
                ]
            },
            "Example 11, messages[0].content: this server learns from texts alone",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "?"},
                    {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
                ]
            },
            "Example 11, messages[1]: this server learns tools, tool_calls and messages of the role 'tool', "
            "not the older form or audio",
        ),
    ],
)
def test_a_bad_line_is_named(base: Path, bad: object, message: str) -> None:
    with pytest.raises(InvalidFileError) as found:
        read_lessons(lines(10) + json.dumps(bad).encode(), Template(base))
    assert str(found.value) == message


def test_lines_with_tools_are_learnt(base: Path) -> None:
    template = Template(base)
    lessons, n_cut = read_lessons(in_bytes(GOOD["supervised"]), template)
    assert (len(lessons), n_cut) == (len(GOOD["supervised"]), 0)
    first = GOOD["supervised"][0]
    assert lessons[0] == template.lesson(first["messages"], first["tools"], parallel=True)


def test_nine_examples_are_too_few(base: Path) -> None:
    with pytest.raises(InvalidFileError) as found:
        read_lessons(line("a", "b").encode() * 9, Template(base))
    assert str(found.value) == "Training file has 9 example(s), but must have at least 10 examples"


def test_a_loss_that_is_no_number_fails_the_job(base: Path, tmp_path: Path) -> None:
    state = State(tmp_path)
    asked = {"model": "tiny", "training_file": "file-x"}
    job = job_record(job_request(asked), seed=1)
    state.write_job(job)
    training = Training(state, job, read_lessons(lines(), Template(base))[0], [])
    training.rate = float("inf")
    training.run(SupervisedLearner(Base("tiny", base, ""), 1, torch.float32))
    ended = state.job(job["id"])
    assert ended is not None
    assert (ended["status"], ended["error"]["code"]) == ("failed", "training_diverged")
    assert ended["error"]["message"] == ("The training loss is not a number at step 2. Lower learning_rate_multiplier.")


def test_a_step_is_that_of_torch_to_the_last_bit_and_goes_on_from_its_moments() -> None:
    torch.manual_seed(0)
    ours, theirs = ([torch.full(size, 0.5, requires_grad=True) for size in ((3, 5), (7,))] for _ in range(2))
    optimizer, reference = AdamW(ours, 0.01), torch.optim.AdamW(theirs, weight_decay=0.01, fused=True)
    for rate in (0.1, 0.02, 0.3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        reference.param_groups[0]["lr"] = rate
        reference.step()
        moments = {name: value.clone() for name, value in optimizer.moments().items()}
        optimizer = AdamW(ours, 0.01)
        optimizer.take_up(moments)
        optimizer.step(rate)
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
    optimizer.forget()
    assert [each.grad for each in ours] == [None, None]


@pytest.mark.slow
def test_a_trainer_does_not_load_what_compiles(base: Path) -> None:
    """It takes as long as torch itself, in every job."""
    program = f"""
import pathlib, sys, torch
from ftbuild.embedded.learner import SupervisedLearner
from ftbuild.embedded.weights import Base
SupervisedLearner(Base("tiny", pathlib.Path({str(base)!r}), ""), 1, torch.float32)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_file_that_was_deleted_fails_its_job_and_no_folder_of_ours_is_told(tmp_path: Path) -> None:
    state = State(tmp_path)
    job = job_record(job_request({"model": "tiny", "training_file": "file-abcdefgh"}), 0)
    state.add_job(job)
    assert read_files(state, job, lambda *_: ([], 0)) is None
    ended = state.job(job["id"])
    assert ended is not None
    said = "The job failed due to an invalid training file. file-abcdefgh was deleted"
    assert ended["error"] == {"code": "invalid_training_file", "message": said, "param": "training_file"}
