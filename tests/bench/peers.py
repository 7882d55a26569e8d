"""The peers, each in a virtual environment of its own, with the same shape in its own words."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench.tool import AT_ONCE, STEP, Tool, write_inputs

PINNED = {
    "ninja": "ninja==1.13.2",
    "doit": "doit==0.37.0",
    "snakemake": "snakemake==9.27.1",
    "redun": "redun==0.44.1",
    "dvc": "dvc==3.67.1",
    "hydra": "hydra-core==1.3.8",
}
QUIET = {"DVC_NO_ANALYTICS": "1"}


def venvs() -> Path:
    """Return where the environments are kept: $FTBUILD_BENCH_VENVS, else in the user's cache."""
    given = os.environ.get("FTBUILD_BENCH_VENVS")
    return Path(given) if given else Path.home() / ".cache" / "ftbuild" / "bench"


def ready(name: str) -> tuple[Path, str]:
    """Return the folder of a peer's programs and what is installed there, making the environment once.

    Where the pinned version does not install on this Python, the newest that does is taken.
    """
    folder, pinned = venvs() / name, PINNED[name]
    package = pinned.partition("==")[0]
    done = folder / "installed.txt"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        if subprocess.run([*pip, pinned], check=False).returncode != 0:
            subprocess.run([*pip, package], check=True)
        show = [str(folder / "bin/python"), "-m", "pip", "show", "--disable-pip-version-check", package]
        said = subprocess.run(show, check=True, capture_output=True, text=True).stdout
        done.write_text(next(line.split()[1] for line in said.splitlines() if line.startswith("Version:")))
    return folder / "bin", done.read_text().strip()


def peer(name: str) -> Tool:
    """Return a peer, ready to run."""
    programs, version = ready(name)
    return {"ninja": _ninja, "doit": _doit, "snakemake": _snakemake, "redun": _redun, "dvc": _dvc, "hydra": _hydra}[
        name
    ](programs, version)


def _ninja(programs: Path, version: str) -> Tool:
    def write(folder: Path, n: int) -> None:
        write_inputs(folder, n)
        lines = [f"rule step\n  command = {STEP} $args"]
        for k in range(n // 10):
            lines.append(f"build out/ds_{k}: step data/in_{k}.jsonl\n  args = ds out/ds_{k} data/in_{k}.jsonl")
        for i in range(n):
            lines.append(f"build out/job_{i}: step out/ds_{i // 10}\n  args = job out/job_{i} out/ds_{i // 10} {i}")
            lines.append(f"build out/ev_{i}: step out/job_{i}\n  args = eval out/ev_{i} out/job_{i}")
        evaluations = _evaluations(n)
        lines.append(f"build out/report: step {evaluations}\n  args = report out/report {evaluations}")
        (folder / "build.ninja").write_text("\n".join(lines) + "\n")

    ninja = str(programs / "ninja")
    return Tool(
        "ninja", write, lambda _: [ninja, f"-j{AT_ONCE}", "--quiet"], lambda _: [ninja, "-n", "--quiet"], version
    )


DOIT = """\
N, STEP = {n}, {step!r}
DOIT_CONFIG = {{"backend": "sqlite3", "check_file_uptodate": "md5", "default_tasks": ["report"], "verbosity": 0}}


def step(name, kind, out, inputs, more=""):
    given = " ".join(inputs)
    return dict(name=name, file_dep=inputs, targets=[out], actions=[f"{{STEP}} {{kind}} {{out}} {{given}} {{more}}"])


def task_ds():
    for k in range(N // 10):
        yield step(str(k), "ds", f"out/ds_{{k}}", [f"data/in_{{k}}.jsonl"])


def task_job():
    for i in range(N):
        yield step(str(i), "job", f"out/job_{{i}}", [f"out/ds_{{i // 10}}"], str(i))


def task_ev():
    for i in range(N):
        yield step(str(i), "eval", f"out/ev_{{i}}", [f"out/job_{{i}}"])


def task_report():
    found = step("", "report", "out/report", [f"out/ev_{{i}}" for i in range(N)])
    del found["name"]
    return found
"""


def _doit(programs: Path, version: str) -> Tool:
    def write(folder: Path, n: int) -> None:
        write_inputs(folder, n)
        (folder / "dodo.py").write_text(DOIT.format(n=n, step=STEP))

    doit = str(programs / "doit")
    return Tool(
        "doit",
        write,
        lambda _: [doit, "-n", str(AT_ONCE), "-P", "thread"],
        lambda _: [doit, "list", "--all", "--status"],
        version,
    )


SNAKEMAKE = """\
rule report:
    input: expand("out/ev_{{i}}", i=range({n}))
    output: "out/report"
    shell: "{step} report {{output}} {{input}}"
rule ds:
    input: "data/in_{{k}}.jsonl"
    output: "out/ds_{{k}}"
    shell: "{step} ds {{output}} {{input}}"
rule job:
    input: lambda w: f"out/ds_{{int(w.i) // 10}}"
    output: "out/job_{{i}}"
    params: number=lambda w: w.i
    shell: "{step} job {{output}} {{input}} {{params.number}}"
rule ev:
    input: "out/job_{{i}}"
    output: "out/ev_{{i}}"
    shell: "{step} eval {{output}} {{input}}"
"""


def _snakemake(programs: Path, version: str) -> Tool:
    def write(folder: Path, n: int) -> None:
        write_inputs(folder, n)
        (folder / "Snakefile").write_text(SNAKEMAKE.format(n=n, step=STEP))

    snakemake = str(programs / "snakemake")
    return Tool(
        "Snakemake",
        write,
        lambda _: [snakemake, f"-c{AT_ONCE}", "--quiet", "all"],
        lambda _: [snakemake, "-n", "--quiet", "all"],
        version,
    )


REDUN = """\
import subprocess
from redun import File, task

redun_namespace = "bench"
STEP = {step!r}.split()


def step(*given):
    subprocess.run([*STEP, *map(str, given)], check=True)


@task()
def ds(k: int, file: File) -> File:
    step("ds", f"out/ds_{{k}}", file.path)
    return File(f"out/ds_{{k}}")


@task()
def job(i: int, dataset: File) -> File:
    step("job", f"out/job_{{i}}", dataset.path, i)
    return File(f"out/job_{{i}}")


@task()
def ev(i: int, model: File) -> File:
    step("eval", f"out/ev_{{i}}", model.path)
    return File(f"out/ev_{{i}}")


@task()
def report(found: list) -> File:
    step("report", "out/report", *[each.path for each in found])
    return File("out/report")


@task()
def main() -> File:
    datasets = [ds(k, File(f"data/in_{{k}}.jsonl")) for k in range({n} // 10)]
    return report([ev(i, job(i, datasets[i // 10])) for i in range({n})])
"""
REDUN_INI = """\
[backend]
db_uri = sqlite:///redun.db
[executors.default]
type = local
max_workers = {at_once}
"""


def _redun(programs: Path, version: str) -> Tool:
    def write(folder: Path, n: int) -> None:
        write_inputs(folder, n)
        (folder / "workflow.py").write_text(REDUN.format(n=n, step=STEP))
        (folder / ".redun").mkdir()
        (folder / ".redun/redun.ini").write_text(REDUN_INI.format(at_once=AT_ONCE))

    redun = str(programs / "redun")
    return Tool(
        "redun",
        write,
        lambda _: [redun, "run", "workflow.py", "main"],
        lambda _: [redun, "run", "--dryrun", "workflow.py", "main"],
        version,
    )


def _dvc(programs: Path, version: str) -> Tool:
    dvc = str(programs / "dvc")

    def stage(kind: str, out: str, given: str, more: str = "") -> Mapping[str, object]:
        return {"cmd": f"{STEP} {kind} {out} {given} {more}".strip(), "deps": given.split(), "outs": [out]}

    def write(folder: Path, n: int) -> None:
        write_inputs(folder, n)
        environment = {**os.environ, **QUIET}
        for command in (["init", "--no-scm", "-q"], ["config", "core.analytics", "false"]):
            subprocess.run([dvc, *command], cwd=folder, check=True, env=environment)
        stages = {f"ds{k}": stage("ds", f"out/ds_{k}", f"data/in_{k}.jsonl") for k in range(n // 10)}
        for i in range(n):
            stages[f"job{i}"] = stage("job", f"out/job_{i}", f"out/ds_{i // 10}", str(i))
            stages[f"ev{i}"] = stage("eval", f"out/ev_{i}", f"out/job_{i}")
        stages["report"] = stage("report", "out/report", _evaluations(n))
        (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))  # JSON is YAML

    return Tool("DVC", write, lambda _: [dvc, "repro", "-q"], lambda _: [dvc, "repro", "--dry", "-q"], version)


HYDRA = """\
import hydra
import step


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    i = config.i
    step.run("ds", f"out/ds_{i // 10}", [f"data/in_{i // 10}.jsonl"])
    step.run("job", f"out/job_{i}", [f"out/ds_{i // 10}", str(i)])
    step.run("eval", f"out/ev_{i}", [f"out/job_{i}"])


main()
"""


def _hydra(programs: Path, version: str) -> Tool:
    def write(folder: Path, n: int) -> None:
        write_inputs(folder, n)
        (folder / "conf").mkdir()
        (folder / "conf/config.yaml").write_text("i: 0\n")
        (folder / "app.py").write_text(HYDRA)

    python = str(programs / "python")
    return Tool("Hydra -m", write, lambda n: [python, "app.py", "-m", f"i=range({n})"], None, version, cached=False)


def _evaluations(n: int) -> str:
    return " ".join(f"out/ev_{i}" for i in range(n))
