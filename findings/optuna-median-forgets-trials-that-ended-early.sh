#!/usr/bin/env bash
# optuna 5.0.0: the median pruner compares a step only with trials that reported at that very step.
#
# Expected: trials that converged after three reports and finished with a good value go on counting, with the last value
#   they reported, when a later trial stands at step 5 with a value ten times worse; it would be pruned.
# Seen: what they reported stays at steps 0 to 2. At step 5 the pruner knows only the one trial that took long and
#   ended badly, and finds the newcomer better than that median. The same newcomer is pruned at step 2. Where no
#   finished trial has come as far as a step, nothing is pruned there at all, whatever n_startup_trials asks for.
# So an objective that stops early when it has converged takes the sting out of the pruner; report the last value for the
# remaining steps.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)


def verdicts(filled: bool) -> list[bool]:
    """Whether a trial that stands at 10.0 is pruned at steps 2, 5 and 8, after four good short trials and a long bad one."""
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0))
    for length, value in [(3, 1.0)] * 4 + [(7, 20.0)]:
        trial = study.ask()
        for step in range(9 if filled else length):
            trial.report(value, step)
        study.tell(trial, value)
    newcomer, seen = study.ask(), []
    for step in range(9):
        newcomer.report(10.0, step)
        if step in (2, 5, 8):
            seen.append(bool(newcomer.should_prune()))
    return seen


short, filled = verdicts(filled=False), verdicts(filled=True)
print("optuna", optuna.__version__, "pruned at steps 2, 5, 8:", short, "| with the last value reported again:", filled)
assert short == [True, False, False], short
assert filled == [True, True, True], filled
PYTHON
