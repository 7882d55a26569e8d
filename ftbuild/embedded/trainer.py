"""A job trained with torch, in a process of its own: its door."""

import threading

from ftbuild.embedded.duty import on_duty
from ftbuild.embedded.lessons import read_lessons
from ftbuild.embedded.preferences import read_pairs
from ftbuild.embedded.state import State
from ftbuild.embedded.template import Template
from ftbuild.embedded.training import Training, read_files


def run(state: State, job_id: str, threads: int) -> None:
    """Train the job until its end or until it is to stand still."""
    with on_duty(state, job_id) as pausing:
        _train(state, job_id, threads, pausing)


def _train(state: State, job_id: str, threads: int, pausing: threading.Event) -> None:
    job = state.job(job_id)
    if job is None:
        raise ValueError(f"no job {job_id!r} in {state.folder}")
    found = state.model(job["model"])
    if found is None:
        state.end_job(job_id, "failed", f"The model {job['model']} is gone.", "model_not_found", "model")
        return
    import torch

    from ftbuild.embedded.dpo import PreferenceLearner
    from ftbuild.embedded.learner import SupervisedLearner
    from ftbuild.embedded.llama import fast_device, fast_dtype

    base, adapters = found
    template = Template(base.folder)
    torch.set_num_threads(threads)
    device = fast_device()
    if "_dtype" not in job:  # a probe says it, which might say something else the next time
        job["_dtype"] = str(fast_dtype(base.folder, device)).removeprefix("torch.")
    dtype = getattr(torch, job["_dtype"])
    if job["method"]["type"] == "dpo":
        pairs = read_files(state, job, lambda content, kind: read_pairs(content, template, kind))
        if pairs is not None:
            preferring = Training(state, job, pairs["training"], pairs["validation"], pausing)
            beta = float(job["hyperparameters"]["beta"])
            by_pairs = PreferenceLearner(base, job["seed"], dtype, adapters, device)
            by_pairs.know([*pairs["training"], *pairs["validation"]], beta)
            preferring.run(by_pairs)
    else:
        lessons = read_files(state, job, lambda content, kind: read_lessons(content, template, kind))
        if lessons is not None:
            training = Training(state, job, lessons["training"], lessons["validation"], pausing)
            training.run(SupervisedLearner(base, job["seed"], dtype, adapters, device))
