"""A job trained with torch, in a process of its own: its door.

Started by the server; a line on its standard input asks it to stand still, and it ends when that closes, which is when
the server died.
"""

import os
import threading

from ftbuild.embedded.lessons import read_lessons
from ftbuild.embedded.preferences import read_pairs
from ftbuild.embedded.state import State
from ftbuild.embedded.template import Template
from ftbuild.embedded.training import Training, read_files


def run(state: State, job_id: str, threads: int) -> None:
    """Train the job until its end or until it is to stand still; ends the process when standard input closes."""
    from filelock import FileLock

    pausing = threading.Event()
    threading.Thread(target=_listen, args=(pausing,), daemon=True).start()
    with FileLock(state.job_folder(job_id) / "trainer.lock"):  # of one that is just dying with its server
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


def _listen(pausing: threading.Event) -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock would be held when the process ends by itself
        pausing.set()
    os._exit(1)
