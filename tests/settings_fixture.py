"""Two whole settings, written out: every field of every model has a value in one of them."""

import json
from copy import deepcopy
from typing import Any, get_args

from ftbuild.chat import ResponseFormat, Tool
from ftbuild.plan.graph import Graph
from ftbuild.plan.resolve import resolve, resolve_job
from ftbuild.settings import Settings
from ftbuild.settings.evaluation import ScorerName
from ftbuild.tools.definitions import definition

FULL: dict[str, Any] = {
    "seed": 7,
    "goal": {
        "metric": "style.all_kept",
        "require": {
            "right_tone": {"at_least": 0.8},
            "better": {"beats": "base", "by": 0.1, "metric": "chrf", "slice": "source=unseen"},
        },
        "keep": {
            "true": {"at_most": 0.15, "metric": "facts.invented"},
            "near": {"compared_to": "echo", "may_drop": 0.05},
        },
        "judge_by": "lower_bound",
    },
    "dataset": {
        "sources": {
            "pairs": {
                "kind": "pairs",
                "path": "data/pairs.jsonl",
                "input": "casual",
                "target": "formal",
                "group": "situation",
                "schema": "note",
                "slices": {"team": "team"},
                "licence": "CC0-1.0",
                "origin": "written here",
            },
            "unseen": {
                "kind": "pairs",
                "path": "data/unseen.jsonl",
                "input": "casual",
                "target": "formal",
                "group": "situation",
                "only": "test",
                "licence": "CC0-1.0",
                "origin": "written here",
            },
        },
        "split": {"validation": 0.1, "test": 0.2, "seed": 9},
        "limit": 400,
    },
    "style": {
        "language": "en",
        "system": "Rewrite it formally.",
        "rules": {
            "contractions": "never",
            "slang": "never",
            "emoji": "never",
            "exclamation_marks": "never",
            "sentence_case": "always",
            "sentence_words": {"at_most": 40},
            "banned": ["no worries"],
            "required": ["please"],
        },
        "slang": ["hey", "yo"],
        "expand": {"pls": "please", "u": "you"},
    },
    "request": {"temperature": 0.0, "max_completion_tokens": 120, "parallel_tool_calls": True, "strict_tools": "tuned"},
    "schemas": {"note": {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}},
    "tools": {
        "get_weather": {
            "description": "Weather in a city.",
            "strict": False,
            "args": {
                "city": {"type": "string", "description": "Its name."},
                "days": {"type": "array", "items": {"enum": ["today", "tomorrow"]}, "optional": True},
            },
        },
        "calculate": {"parameters": {"type": "object", "properties": {"expression": {"type": "string"}}}},
    },
    "model": {
        "id": "small",
        "title": "small model",
        "licence": "Apache-2.0",
        "package": {
            "name": "llm-small",
            "version": "0.1.2",
            "sha256": "00",
            "file": "small.gguf",
            "file_sha256": "11",
        },
    },
    "method": {
        "type": "supervised",
        "hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.5},
    },
    "provider": {
        "kind": "embedded",
        "engine": "torch",
        "settle_seconds": 0.0,
        "idle_seconds": 600.0,
        "poll_seconds": 0.5,
        "threads": 2,
        "at_once": 2,
        "methods": ["supervised", "dpo"],
        "parallel_tool_calls": True,
        "response_format": True,
    },
    "evaluation": {
        "arms": {
            "echo": {"kind": "echo"},
            "rules": {"kind": "rules", "opening": "Dear all.", "substitute": {"hi": "hello", "ok": "acceptable"}},
            "base": {"kind": "base"},
            "tuned": {"kind": "tuned"},
        },
        "scorers": {"style": {}, "chrf": {}, "facts": {}, "exact": {}},
        "concurrency": 4,
    },
    "tracker": {"kind": "local"},
}

TINY = deepcopy(FULL) | {
    "model": {
        "id": "tiny",
        "title": "tiny",
        "licence": "CC0-1.0",
        "random": {"hidden_size": 32, "layers": 2, "heads": 2, "seed": 0},
    },
}

TINY["evaluation"] = FULL["evaluation"] | {
    "scorers": {"tool_calls": {"compare": {"a": {"x": "loose"}}}, "json_schema": {}, **FULL["evaluation"]["scorers"]},
    "targets": "every",
    "turns": 3,
    "results": {"a": {"run": "glossary", "path": "words.yaml"}},
    "samples": 2,
    "requests_per_minute": 600,
    "knowledge": ["facts.kept"],
    "behaviour": ["style.all_kept"],
}
TINY["evaluation"]["arms"] = FULL["evaluation"]["arms"] | {
    "base": {"kind": "base", "retrieval": False},
    "today": {
        "kind": "base",
        "examples": 3,
        "model": {"id": "theirs", "title": "theirs", "licence": "unknown"},
        "provider": {"kind": "hosted", "base_url": "https://a.example/v1", "settle_seconds": 1.0, "poll_seconds": 1.0},
    },
}
TINY["tracker"] = {
    "kind": "wandb",
    "from": "both",
    "project": "tone",
    "entity": "people",
    "tags": ["ours"],
    "mode": "auto",
    "api_key_env": "WANDB_API_KEY",
    "base_url": "https://wandb.example.com",
    "examples": True,
    "timeout_seconds": 30.0,
}
# What goes wrong in a rehearsal: every fault, every parameter.
TINY["provider"] |= {
    "engine": "scripted",
    "faults": {
        "answer_lost": {"times": 1, "after": 1, "every": 2, "request": "create"},
        "server_dies": {"times": 1, "after": 0, "every": 1},
        "rate_limited": {"times": 1, "after": 0, "every": 1, "request": "look", "seconds": 1, "as_date": True},
        "slow_body": {"times": 1, "after": 0, "every": 1, "request": "events", "seconds": 0.5},
        "list_lag": {"seconds": 2.0},
        "result_base64": {"times": 1},
        "paused": {"times": 1, "after": 0, "every": 1, "looks": 2},
        **{name: {"looks": 2} for name in ("stuck_validating", "unknown_status", "slow_epochs")},
        **{name: {"times": 1} for name in ("error_after_commit", "error_before_commit", "permission_denied")},
        **{name: {"times": 1} for name in ("training_closed", "quota_exceeded", "training_file_gone")},
        **{name: {"times": 1} for name in ("moderation_failed", "events_repeated", "events_disordered")},
        **{name: {"times": 1} for name in ("azure_statuses", "empty_error", "bare_job", "result_truncated")},
    },
}

TINY["style"] = {"language": "ja", "system": "丁寧に。", "rules": {"desu_masu": "always"}}
TINY["method"] = {"type": "dpo", "hyperparameters": {"n_epochs": 3, "beta": 0.2}}
TINY["method"]["checkpoint"] = "lowest_validation_loss"
TINY["dataset"]["sources"]["pairs"]["rejected"] = "casual"
TINY["dataset"]["sources"]["pairs"]["keep"] = {
    "solved": {"field": "csat", "at_least": 3.5, "at_most": 5.0, "equals": "4", "one_of": [4, "4"], "matches": "4"}
}
TINY["dataset"]["deduplicate"] = "near"
TINY["dataset"]["parallel_calls"] = "one_by_one"
TINY["dataset"]["redact"] = {
    "private_key": True,
    "jwt": True,
    "api_key": True,
    "url_password": True,
    "email": True,
    "iban": True,
    "credit_card": True,
    "ipv6": False,
    "ipv4": False,
    "phone": True,
}
TINY["dataset"]["split"] |= {
    "by": "time",
    "validation_from": "2026-10-01",
    "test_from": "2026-11-01T12:00:00Z",
    "confirm_from": "2026-11-15",
    "confirm": 0.1,
}
TINY["dataset"]["sources"]["pairs"]["time"] = "sent_at"
TINY["tools"] |= {"a": {"python": "app.py:a"}, "b": {"openapi": "api.json#b"}, "c": {"mcp": "tools.json#c"}}
TINY["dataset"]["sources"]["made"] = {
    "kind": "generator",
    "path": "data/made.yaml",
    "n": 200,
    "calls": {"one": 1, "two": 2, "three": 3},
    "unseen": {"values": 20, "phrasings": 30},
    "quiet": 0.1,
    "share": 0.4,
    "walled": True,
    "consent": "Asked for in 2026",
    "tools": ["get_weather"],
    "seed": 5,
    "licence": "CC0-1.0",
    "origin": "made here",
}

# A grader of every kind, and what reinforcement alone has.
GRADED = deepcopy(FULL) | {
    "method": {
        "type": "reinforcement",
        "hyperparameters": {
            "n_epochs": 1,
            "compute_multiplier": 1.5,
            "eval_interval": 10,
            "eval_samples": 5,
            "reasoning_effort": "low",
        },
        "grader": {
            "type": "multi",
            "name": "all",
            "graders": {
                "same": {
                    "type": "string_check",
                    "name": "same",
                    "input": "{{sample.output_text}}",
                    "reference": "{{item.reference}}",
                    "operation": "eq",
                },
                "near": {
                    "type": "text_similarity",
                    "name": "near",
                    "input": "{{sample.output_text}}",
                    "reference": "{{item.reference}}",
                    "evaluation_metric": "bleu",
                },
                "ours": {
                    "type": "python",
                    "name": "ours",
                    "source": "def grade(sample, item):\n    return 1.0\n#",
                    "image_tag": "2025-05-08",
                },
                "judge": {
                    "type": "score_model",
                    "name": "judge",
                    "model": "judge-1",
                    "input": [{"role": "user", "content": "How good is {{sample.output_text}}?", "type": "message"}],
                    "range": [0.0, 1.0],
                    "sampling_params": {
                        "max_completions_tokens": 10,
                        "reasoning_effort": "low",
                        "seed": 1,
                        "temperature": 0.5,
                        "top_p": 0.5,
                    },
                },
            },
            "calculate_output": "0.5 * same + max(near, ours) * judge",
        },
    },
}
GRADED["evaluation"] = FULL["evaluation"] | {
    "scorers": {
        "tool_calls": {"mode": "bfcl"},
        "chrf": {},
        "constraints": {
            "words": {"at_least": 1, "at_most": 40},
            "characters": {"at_most": 400},
            "sentences": {"at_most": 3},
            "bullets": {"at_most": 0},
            "banned": ["asap"],
            "required": ["please"],
            "starts_with": "Dear",
            "ends_with": ".",
            "language": "en",
        },
        "grounding": {"abstains": ["does not say"]},
        "register": {},
        "judge": {},
    },
    "arms": {**FULL["evaluation"]["arms"], "before": {"kind": "before"}},
    "split": "test",
}
GRADED["judge"] = {
    "rubric": "The shorter one is better.",
    "labelled": "conf/judge/shorter.jsonl",
    "at_least": 0.5,
    "model": {"id": "judge-1", "title": "judge", "licence": "unknown"},
    "provider": FULL["provider"] | {"engine": "scripted"},
    "licence": "CC0-1.0",
    "origin": "labelled here",
}
LABELLED = [{"message": "hi", "one": "Hello.", "other": "Good day to you.", "better": "one"}]
GRADED["goal"] = FULL["goal"] | {"arm": "rules", "against": "echo"}
GRADED["request"] = FULL["request"] | {"logprobs": True, "top_logprobs": 3}
GRADED["round"] = {"after": "first", "run": "20250303-104200-first", "aims": ["source=pairs"]}
GRADED["dataset"]["sources"] = {"pairs": FULL["dataset"]["sources"]["pairs"]}

TINY["dataset"]["without"] = {"0123456789abcdef": "data/pairs.jsonl:7"}
TINY["dataset"]["sources"]["asked"] = {
    "kind": "sql",
    "path": "data/help.sqlite",
    "query": "SELECT * FROM tickets ORDER BY id",
    "layout": "chat_jsonl",
    "licence": "CC0-1.0",
    "origin": "made here",
}

TINY["dataset"]["sources"]["pairs"]["passage"] = {"document": "document", "section": "section"}
TINY["dataset"]["sources"]["pairs"]["criteria"] = "criteria"
TINY["dataset"]["sources"]["handbook"] = {
    "kind": "documents",
    "path": "data/handbook/*.md",
    "passage_characters": 900,
    "licence": "CC0-1.0",
    "origin": "made here",
}
TINY["retrieval"] = {
    "documents": "handbook",
    "kind": "hybrid",
    "model": "embedder",
    "n_passages": 4,
    "sources": ["pairs"],
    "gold_in": ["train"],
    "without_gold": 0.2,
    "seed": 3,
}

# A hosted provider, with everything that its profile can say.
HOSTED = deepcopy(FULL) | {
    "budget": {"usd": 20.0},
    "model": {"id": "vendor/Model-1", "title": "hosted model", "licence": "unknown", "languages": ["en", "ja"]},
    "provider": {
        "kind": "hosted",
        "name": "elsewhere",
        "rehearsed": False,
        "base_url": "https://models.example/v1",
        "is_openai": True,
        "api_key_env": "ELSEWHERE_KEY",
        "variables": ["ELSEWHERE_RESOURCE"],
        "settle_seconds": 30.0,
        "poll_seconds": 10.0,
        "rules": "compatible",
        "models": {
            "model_1": {
                "id": "vendor/Model-1",
                "methods": ["supervised"],
                "usd_training": 5.0,
                "usd_input": 0.8,
                "usd_output": 3.2,
                "ends": "2031-01-01",
            }
        },
        "tools": True,
        "limits": {"min_examples": 10, "max_examples": 50000, "file_bytes": 1000000, "example_tokens": 65536},
        "suffix": {"characters": 18, "letters": "a-z"},
        "hyperparameters": {
            "learning_rate_multiplier": {"name": "learning_rate", "times": 1e-5, "absolute": True},
        },
        "extra_hyperparameters": {"lora": {"r": 16}},
        "omits_auto": True,
        "extra_body": {"trainingType": "GlobalStandard"},
        "statuses": {"pending": "queued"},
        "free": False,
        "bills_trained": False,
        "prices": {"as_of": "2026-11", "source": "their page", "encoding": "o200k_base", "methods": ["supervised"]},
        "ends": {
            "new_jobs": "2031-01",
            "models": "2031-02-01",
            "source": "their page",
            "closed_to": "new ones",
            "firm": True,
        },
        "horizon_days": 90,
        "needed_days": 0,
        "deploys": {"command": "deploy {model} as {name}", "source": "their page"},
        "deployment": "mine",
        "base_deployment": "theirs",
    },
}

BYTES = {"pairs": "a" * 64, "unseen": "b" * 64, "made": "c" * 64, "asked": "d" * 64, "handbook": "e" * 64}
VERSIONS = dict.fromkeys(get_args(ScorerName), 1)


def settings(tree: dict[str, Any] = FULL) -> Settings:
    return Settings.model_validate_json(json.dumps(tree))


def graph(tree: dict[str, Any] = FULL, *, judged: bool = True) -> Graph:
    given = settings(tree)
    results = {name: each.keyed() for name, each in given.evaluation.results.items()}
    labelled = LABELLED if "judge" in given.evaluation.scorers else ()
    read = (tools_of(given), forms_of(given), results)
    before = resolve_job(given, BYTES, VERSIONS, *read) if given.round is not None else None
    return resolve(given, BYTES, VERSIONS, judged, *read, labelled=labelled, before=before)


def forms_of(given: Settings) -> dict[str, ResponseFormat]:
    named = {name: each.schema_name for name, each in given.dataset.sources.items()}
    return {name: ResponseFormat(schema, given.schemas[schema]) for name, schema in named.items() if schema}


def tools_of(given: Settings) -> list[Tool]:
    return [definition(name, tool) for name, tool in given.tools.items()]


# A base model of one's own disk.
IN_FOLDER: dict[str, Any] = TINY | {
    "model": {"id": "mine", "title": "mine", "licence": "unknown", "folder": "/models/mine"},
}
