"""Mistakes in a config: all at once, each with its place and its remedy, in the whole text people read."""

from pathlib import Path

import pytest
from config_fixture import CONF, CONFIG_HAS, GROUPS, STYLE_HAS, TONE, Own, there_are


@pytest.fixture
def own(tmp_path: Path) -> Own:
    return Own(tmp_path)


def test_misspelt_and_ill_typed_values_of_files_and_command_line_are_told_together(own: Own) -> None:
    own.experiment(
        "mine",
        """
        # Mine.   ftbuild +experiment=mine
        defaults: [tone_formal]
        sede: 3
        style:
          tonne: warm
          rules: {sentence_words: {at_most: many}}
        method: {hyperparameters: {n_epoch: 2, batch_size: big}}
        """,
    )
    said = own.refused("plan", "experiment=mine", "style.tonnne=warm", "request.temperature=hot", "style=formall")
    assert said == (
        "conf/experiment/mine.yaml:4: no key 'sede'\n"
        f"    {CONFIG_HAS}\n"
        "    Fix: the nearest key is seed.\n"
        "conf/experiment/mine.yaml:6: no key 'style.tonne'\n"
        f"    {STYLE_HAS}\n"
        "conf/experiment/mine.yaml:7: style.rules.sentence_words.at_most: 'many' should be a valid integer\n"
        "conf/experiment/mine.yaml:8: method.hyperparameters.batch_size: 'big' should be a valid integer or 'auto'\n"
        "conf/experiment/mine.yaml:8: no key 'method.hyperparameters.n_epoch'\n"
        "    method.hyperparameters has n_epochs, batch_size, learning_rate_multiplier, beta, compute_multiplier,"
        " eval_interval, eval_samples, reasoning_effort.\n"
        "    Fix: the nearest key is method.hyperparameters.n_epochs.\n"
        "command line: request.temperature: 'hot' should be a valid number\n"
        "command line: style.tonnne=warm: no key 'style.tonnne'\n"
        f"    {STYLE_HAS}\n"
        "command line: style=formall: no option 'formall' in conf/style\n"
        f"    Fix: the nearest is 'formal'; {there_are('style')}\n"
    )


def test_a_misspelt_key_of_ours_is_answered_with_the_line_to_type(own: Own) -> None:
    assert own.refused("plan", TONE, "style.sistem=Rewrite") == (
        f"command line: style.sistem=Rewrite: no key 'style.sistem'\n    {STYLE_HAS}\n    Fix: style.system=Rewrite\n"
    )


@pytest.mark.parametrize("plus", ["", "+", "++"])
def test_hydras_advice_to_add_a_plus_neither_appears_nor_works(own: Own, plus: str) -> None:
    assert own.refused("plan", TONE, f"{plus}methd.type=supervised") == (
        f"command line: methd.type=supervised: no key 'methd'\n    {CONFIG_HAS}\n    Fix: method.type=supervised\n"
    )


def test_another_option_is_named_where_a_key_of_a_group_is_unknown(own: Own) -> None:
    own.write("conf/style/brisk.yaml", "# Brisk.   ftbuild +experiment=tone_formal style=brisk\n")
    assert own.refused("plan", TONE, "style.tonne=warm") == (
        f"command line: style.tonne=warm: no key 'style.tonne'\n    {STYLE_HAS.replace('=formal', '=brisk')}\n"
    )


def test_the_keys_of_a_grader_of_another_type_are_told_with_who_chose_it(own: Own) -> None:
    own.experiment(
        "mine",
        """
        # Mine.   ftbuild +experiment=mine
        defaults: [tone_formal, override /method: reinforcement]
        method: {grader: {type: python, source: "def grade(sample, item): return 1"}}
        """,
    )
    said = own.refused("plan", "experiment=mine")
    assert f"{CONF}/method/reinforcement.yaml:12: no key 'method.grader.evaluation_metric'\n" in said
    assert said.count(
        "    Fix: conf/experiment/mine.yaml:4 chooses another type of method.grader, whose keys are merged with these: "
        "write the whole of it in conf/method/NAME.yaml and choose method=NAME.\n"
    ) == said.count("no key")


def test_a_mistyped_option_on_the_command_line(own: Own) -> None:
    assert own.refused("plan", "+experiment=tone_forml") == (
        "command line: experiment=tone_forml: no option 'tone_forml' in conf/experiment\n"
        f"    Fix: the nearest is 'tone_formal'; {there_are('experiment')}\n"
    )


def test_mistyped_options_in_a_defaults_list_are_all_told_with_their_lines(own: Own) -> None:
    own.experiment(
        "mine",
        """
        # Mine.   ftbuild +experiment=mine
        defaults:
          - /source@dataset.sources.pairs: tone_pair
          - override /style: formall
          - override /gaol: right_tone
          - override /evaluation: rewriting
        """,
    )
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:4: no option 'tone_pair' in conf/source\n"
        f"    Fix: the nearest is 'tone_pairs'; {there_are('source')}\n"
        "conf/experiment/mine.yaml:5: no option 'formall' in conf/style\n"
        f"    Fix: the nearest is 'formal'; {there_are('style')}\n"
        "conf/experiment/mine.yaml:6: no group 'gaol'\n"
        f"    Fix: the nearest is 'goal'; there are {GROUPS}.\n"
    )


def test_a_mistyped_option_is_found_in_the_file_that_asks_for_it(own: Own) -> None:
    own.experiment("first", "defaults: [second]\n")
    own.experiment("second", "# Second.   ftbuild +experiment=second\ndefaults:\n  - tone_forml\n")
    assert own.refused("plan", "+experiment=first") == (
        "conf/experiment/second.yaml:4: no option 'tone_forml' in conf/experiment\n"
        f"    Fix: the nearest is 'tone_formal'; {there_are('experiment', 'first', 'second')}\n"
    )


def test_an_option_of_a_group_that_does_not_exist(own: Own) -> None:
    assert own.refused("plan", TONE, "styl=formal") == (
        f"command line: styl=formal: no key 'styl'\n    {CONFIG_HAS}\n    Fix: style=formal\n"
    )
    assert own.refused("plan", TONE, "+sourc@dataset.sources.x=tone_pairs") == (
        "command line: +sourc@dataset.sources.x=tone_pairs: no group 'sourc'\n"
        f"    Fix: the nearest is 'source'; there are {GROUPS}.\n"
    )


def test_a_group_written_as_a_value_is_told_how_an_option_is_chosen(own: Own) -> None:
    own.experiment("mine", "defaults: [tone_formal]\nstyle: formal\n")
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:3: style: 'formal' where a map of keys is wanted\n"
        "    Fix: to choose an option: `override /style: formal` in the defaults list\n"
    )


def test_a_group_without_its_slash_is_told_where_it_is_looked_for(own: Own) -> None:
    own.experiment("mine", "defaults:\n  - tone_formal\n  - style: formal\n")
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:4: style is looked for inside conf/experiment, so conf/experiment/style is missing\n"
        "    Fix: write `override /style: formal`, as the last entries.\n"
    )


def test_override_lines_come_last(own: Own) -> None:
    own.experiment("mine", "defaults:\n  - override /style: formal\n  - tone_formal\n")
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:3: an `override` line stands before another entry of the defaults list\n"
        "    Fix: put the `override` lines last.\n"
    )


def test_a_group_chosen_twice(own: Own) -> None:
    own.experiment("mine", "defaults:\n  - tone_formal\n  - /style: formal\n")
    assert own.refused("plan", "+experiment=mine") == (
        f"conf/experiment/mine.yaml:4: style is chosen here and in {CONF}/config.yaml:5\n"
        "    Fix: write `override /style: formal`, as one of the last entries.\n"
    )


def test_an_experiment_without_its_package_line(own: Own) -> None:
    own.write("conf/experiment/mine.yaml", "# Mine.\ndefaults: [tone_formal]\nseed: 3\n")
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml: the keys of this file land under `experiment`\n"
        "    Fix: make `# @package _global_` its first line.\n"
    )


def test_an_experiment_that_leaves_groups_open(own: Own) -> None:
    own.experiment("mine", "seed: 3\n")
    assert own.refused("plan", "+experiment=mine", "style=formal", "evaluation=rewriting") == (
        "conf/experiment/mine.yaml: experiment 'mine' chooses no goal\n"
        "    Fix: add `override /goal: all_calls_at_once|closer|own_criteria|right_calls|right_form|right_style|"
        "right_tone|right_tone_anywhere` to its defaults.\n"
    )


@pytest.mark.parametrize("overrides", [(), ("seed=3",)])
def test_no_experiment_at_all(own: Own, overrides: tuple[str, ...]) -> None:
    assert own.refused("plan", *overrides) == (
        "command line: no goal, style, evaluation chosen\n"
        f"    Fix: take an experiment, +experiment=NAME; {there_are('experiment')}\n"
    )


def test_a_misspelt_experiment_is_corrected(own: Own) -> None:
    said = "command line: no group 'experimnt'\n    Fix: +experiment=tone_formal\n"
    assert own.refused("plan", "+experimnt=tone_formal") == said


def test_an_experiment_that_is_null_or_empty(own: Own) -> None:
    assert own.refused("plan", "+experiment=null") == (
        f"command line: experiment=null: no option 'None' in conf/experiment\n    Fix: {there_are('experiment')}\n"
    )
    assert own.refused("plan", "+experiment=") == (
        f"command line: experiment=: no option '' in conf/experiment\n    Fix: {there_are('experiment')}\n"
    )


def test_taking_out_an_option_leaves_half_a_source(own: Own) -> None:
    own.experiment("mine", "defaults: [tone_formal]\ndataset: {sources: {unseen: {only: test}}}\n")
    assert own.refused("plan", "+experiment=mine", "~source@dataset.sources.unseen") == (
        "conf/experiment/mine.yaml:3: dataset.sources.unseen is half a source: it has only and no more\n"
        "    Fix: to take it out: ~dataset.sources.unseen;"
        " to put one in: +source@dataset.sources.unseen=OPTION.\n"
    )


def test_a_source_that_lacks_a_key_names_its_own_file(own: Own) -> None:
    own.write("conf/source/mails.yaml", "kind: pairs\npath: a.jsonl\ninput: a\ntarget: b\ngroup: c\norigin: d\n")
    assert own.refused("plan", TONE, "+source@dataset.sources.mails=mails") == (
        "conf/source/mails.yaml: dataset.sources.mails.licence is missing\n"
        "    It goes with every example into its provenance: what a model may learn from is asked later.\n"
        "    Fix: write licence: internal for your own data, else its name, as licence: CC-BY-4.0.\n"
    )


def test_taking_out_what_is_not_there_names_what_is(own: Own) -> None:
    assert own.refused("plan", TONE, "~dataset.sources.unsen") == (
        "command line: ~dataset.sources.unsen: no key 'dataset.sources.unsen'\n"
        "    there are pairs, unseen.\n"
        "    Fix: ~dataset.sources.unseen\n"
    )


def test_an_interpolation_that_leads_nowhere(own: Own) -> None:
    own.experiment("mine", "defaults: [tone_formal]\nseed: ${nope}\n")
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:3: seed: interpolation key 'nope' not found\n"
    )


def test_hydras_own_settings_are_refused(own: Own) -> None:
    assert own.refused("plan", TONE, "hydra.run.dir=here") == (
        "command line: hydra.run.dir=here: ftbuild has no settings of Hydra\n    Fix: leave it out.\n"
    )


def test_problems_of_all_points_of_a_sweep_are_told_once(own: Own) -> None:
    own.experiment("mine", "defaults: [tone_formal]\nsede: 3\n")
    said = own.refused("plan", "-m", "+experiment=mine,tone_forml", "seed=1,x", "style.tonne=warm")
    assert said == (
        "conf/experiment/mine.yaml:3: no key 'sede'\n"
        f"    {CONFIG_HAS}\n"
        "    Fix: the nearest key is seed.\n"
        "command line: experiment=tone_forml: no option 'tone_forml' in conf/experiment\n"
        f"    Fix: the nearest is 'tone_formal'; {there_are('experiment', 'mine')}\n"
        "command line: seed: 'x' should be a valid integer\n"
        "command line: style.tonne=warm: no key 'style.tonne'\n"
        f"    {STYLE_HAS}\n"
    )


def test_conditions_of_a_goal_and_lists_that_belong_to_a_rule(own: Own) -> None:
    own.experiment(
        "mine",
        """
        defaults: [tone_formal]
        goal: {require: {right_tone: {at_most: 0.5}, faster: {metric: chrf}}}
        style: {slang: []}
        """,
    )
    assert own.refused("plan", "+experiment=mine") == (
        "conf/experiment/mine.yaml:3: goal.require.faster: a condition says exactly one of"
        " at_least, at_most, beats, compared_to\n"
        "conf/experiment/mine.yaml:3: goal.require.right_tone: a condition says exactly one of"
        " at_least, at_most, beats, compared_to\n"
        "conf/experiment/mine.yaml:4: style: rules.slang is never, but the list `slang` is empty\n"
    )


def test_a_name_that_a_map_does_not_take(own: Own) -> None:
    assert own.refused("plan", TONE, "evaluation.scorers.bleu={}") == (
        "command line: evaluation.scorers.bleu: 'bleu' should be 'style', 'chrf', 'facts', 'exact', "
        "'tool_calls', 'json_schema', 'results', 'rouge_l', 'constraints', 'criteria', 'register', 'grounding' or "
        "'judge'\n"
    )


def test_a_sweep_over_nothing(own: Own) -> None:
    assert own.refused("plan", "-m", TONE, "seed=range(0,0)") == (
        "command line: 'seed=range(0,0)' asks for no value at all\n    Fix: write values, 1,2 or range(1,3).\n"
    )


def test_a_goal_on_what_is_not_there_is_refused_before_anything_is_trained(own: Own) -> None:
    own.write(
        "conf/goal/ours.yaml",
        """
        # Ours.   ftbuild +experiment=tone_formal goal=ours
        metric: style.al_kept
        require:
          a: {beats: rule}
          b: {metric: chrf, slice: source=unsen, at_least: 0.5}
          c: {metric: facts.kept, slice: unseen, at_least: 0.5}
        keep:
          d: {metric: bleu, compared_to: base, may_drop: 0.1}
        """,
    )
    assert own.refused("plan", TONE, "goal=ours", "~evaluation.scorers.exact") == (
        "conf/goal/ours.yaml:2: goal.metric: no metric 'style.al_kept' comes from evaluation.scorers and style.rules\n"
        "    Fix: the nearest is 'style.all_kept'; there are style.all_kept, style.contractions, style.slang,"
        " style.emoji, style.exclamation_marks, style.sentence_case, style.sentence_words, style.banned and 3 more.\n"
        "conf/goal/ours.yaml:4: goal.require.a.beats: no arm 'rule' in evaluation.arms\n"
        "    Fix: the nearest is 'rules'; there are echo, rules, base, tuned."
        " To do without the condition: goal.require.a=null.\n"
        "conf/goal/ours.yaml:5: goal.require.b.slice: no source 'unsen' in dataset.sources\n"
        "    Fix: the nearest is 'unseen'; there are pairs, unseen. To do without the condition: goal.require.b=null.\n"
        "conf/goal/ours.yaml:6: goal.require.c.slice: no slice 'unseen'\n"
        "    Fix: there are source=VALUE. To do without the condition: goal.require.c=null.\n"
        "conf/goal/ours.yaml:8: goal.keep.d.metric: no metric 'bleu' comes from evaluation.scorers and style.rules\n"
        "    Fix: there are style.all_kept, style.contractions, style.slang, style.emoji, style.exclamation_marks,"
        " style.sentence_case, style.sentence_words, style.banned and 3 more."
        " To do without the condition: goal.keep.d=null.\n"
    )


def test_a_verdict_needs_base_and_tuned(own: Own) -> None:
    own.write("conf/goal/ours.yaml", "metric: chrf\nrequire: {a: {at_least: 0.5}}\n")
    assert own.refused("plan", TONE, "goal=ours", "~evaluation.arms.tuned").endswith(
        "rewriting.yaml:2: evaluation.arms: no arm 'tuned', and the verdict compares tuned with base\n"
        "    Fix: there are echo, rules, base.\n"
    )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "evaluation.arms.basee.examples=3",
            "command line: evaluation.arms.basee.kind is missing\n    Fix: the nearest to 'basee' is 'base'.\n",
        ),
        (
            "goal.arm=tunedd",
            "command line: goal.arm: no arm 'tunedd', and the verdict compares tunedd with base\n"
            "    Fix: the nearest is 'tuned'; there are echo, rules, base, tuned.\n",
        ),
        (
            "goal.require.right_tone.at_least=80",
            "command line: goal.require.right_tone.at_least: 80, and every metric lies between 0 and 1\n"
            "    Fix: goal.require.right_tone.at_least=0.8\n",
        ),
        (
            "dataset.split.test=0.95",
            "command line: dataset.split.test: the shares 0.05 for validation and 0.95 for test are 1 in all, which "
            "leaves nothing to train on\n    Fix: lower them: what is left of 1 trains.\n",
        ),
        (
            "judge=formal",
            "judge.rubric: given, and no scorer judges by it\n"
            "    Fix: evaluation=judged, or another with the scorer judge; or leave the judge out.\n",
        ),
    ],
)
def test_what_was_typed_is_blamed_on_the_command_line_with_what_was_meant(own: Own, typed: str, said: str) -> None:
    assert own.refused("plan", TONE, typed).endswith(said)


def test_a_key_of_a_group_that_is_a_group_of_its_own_is_blamed_on_who_typed_it(own: Own) -> None:
    assert own.refused("plan", TONE, "evaluation.judge.model=x").startswith("command line: evaluation.judge.model=x: ")


def test_a_number_out_of_range_is_blamed_on_the_command_line_that_set_it(own: Own) -> None:
    own.experiment("mine", "defaults: [tone_formal]\n")
    where = "method.hyperparameters"
    assert own.refused("plan", "+experiment=mine", f"{where}.n_epochs=60", f"{where}.learning_rate_multiplier=0") == (
        "command line: method.hyperparameters.learning_rate_multiplier: 0 should be greater than 0 or 'auto'\n"
        "command line: method.hyperparameters.n_epochs: 60 should be less than or equal to 50 or 'auto'\n"
    )


def test_what_yaml_has_made_of_a_value_of_a_tool_is_said_once(own: Own) -> None:
    own.write(
        "conf/tools/home.yaml",
        """
        turn_device:
          description: Switch a device.
          args:
            state: {enum: [on, "off"]}
            at: {type: strin}
        wait: {args: {seconds: {}}}
        """,
    )
    at = "'string', 'number', 'integer', 'boolean', 'object', 'array' or 'null'"
    assert own.refused("plan", TONE, "tools=home") == (
        "conf/tools/home.yaml:4: tools.turn_device.args.state.enum.0: True, which is how YAML reads a bare on, yes or "
        "true\n"
        "    Fix: put the word in quotes.\n"
        f"conf/tools/home.yaml:5: tools.turn_device.args.at.type: 'strin' should be {at}\n"
        "    Fix: the nearest is 'string'.\n"
        "conf/tools/home.yaml:6: tools.wait.args.seconds: an argument has a type, or the values it may have as enum\n"
    )
