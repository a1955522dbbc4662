# Everything runs in .venv, which the first target that needs it sets up. The folder may have any name: all places are relative.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UNREADY := $(VENV)/.unready

# The programs in it name the folder in which they were installed: where that was moved or renamed, it is set up again.
MOVED := $(shell test "$$(cat $(READY) 2>/dev/null)" = "$$(cd ./$(VENV) 2>/dev/null && pwd -P)" || echo moved)

# What makes .venv: make run PYTHON=/path/to/python3, or the first of these that is new enough and has venv.
PYTHON :=
PYTHONS := python3 python3.13 python3.12 python3.11 python
NEW := import sys; sys.exit(sys.version_info < (3, 11))
PIP := $(BIN)/python -m pip --quiet
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0

.PHONY: run test quick soak compiled check ui serve stop-serve bench lock clean help moved

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(READY) ## search configs/default.yaml and show the ladders found
	@$(BIN)/python -m flows.run $(ARGS)

# Tests start Python by the hundred: what the first has compiled serves all.
test quick soak compiled: export PYTHONDONTWRITEBYTECODE :=

test: $(READY) ## run all tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

quick: $(READY) ## run the tests that start no server and kill no process: a minute or two
	@$(BIN)/python -m pytest -n 3 --dist loadfile -m "not (integration or slow or soak)" $(ARGS)

soak: $(READY) ## faults by the hundred: kills, locks, full disks; takes half an hour
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m soak $(ARGS)

compiled: $(READY) ## install numba, and run the tests of the loops that it compiles
	@$(PIP) install --no-build-isolation --constraint requirements.lock --editable '.[compiled]'
	@$(BIN)/python -m pytest tests/test_compiled.py tests/test_ladder_loops.py tests/test_bound_compiled.py tests/test_replay.py $(ARGS)

check: $(READY) ## linters, types and the direction of imports
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/python $(BIN)/lint-imports --no-cache

ui: $(READY) ## start the Prefect and MLflow pages on 127.0.0.1
	@$(BIN)/python -m flows.app ui $(ARGS)

serve: $(READY) ## schedule searches: both pages, a worker and the deployments, in the background
	@$(BIN)/python -m flows.app serve $(ARGS)

stop-serve: $(READY) ## end what `make serve` has started
	@$(BIN)/python -m flows.app stop

bench: $(READY) ## measure evaluator, search, scale, workers and faults; prints ratios; takes an hour
	@$(BIN)/python -m benchmarks.evaluator
	@$(BIN)/python -m benchmarks.bound
	@$(BIN)/python -m benchmarks.quality
	@$(BIN)/python -m benchmarks.refinement
	@$(BIN)/python -m benchmarks.scale
	@$(BIN)/python -m benchmarks.workers
	@$(BIN)/python -m benchmarks.placing
	@$(BIN)/python -m benchmarks.faults
	@$(BIN)/python -m benchmarks.readme

lock: $(READY) ## write the versions of all packages to requirements.lock
	@$(BIN)/python -m uv pip compile pyproject.toml --extra dask --extra postgresql --group dev --universal --python-version 3.11 \
		--no-header --no-annotate --upgrade --quiet --output-file requirements.lock

clean: ## remove the environment and caches; results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

define NEW_VENV
{ for python in $(if $(PYTHON),"$(PYTHON)",$(PYTHONS)); do \
	if { "$$python" -c '$(NEW)' && "$$python" -c 'import ensurepip, venv'; } >/dev/null 2>&1; then \
		rm -rf $(VENV) && mkdir $(VENV) && echo $$PPID > $(UNREADY) && \
		"$$python" -m venv $(VENV) && $(PIP) install --upgrade pip; exit; \
	fi; \
done; \
echo "error: Python 3.11 or later with venv is needed; tried: $(if $(PYTHON),$(PYTHON),$(PYTHONS))." \
	"On Debian and Ubuntu: apt install python3-venv. For one that is elsewhere: make run PYTHON=/path/to/python3" >&2; exit 1; }
endef

# An environment that is there is kept if it will do; one whose setting up was cut is made anew, for nobody knows what it lacks.
$(READY): pyproject.toml requirements.lock $(MOVED)
	@! kill -0 "$$(cat $(UNREADY) 2>/dev/null)" 2>/dev/null || { echo "error: process $$(cat $(UNREADY)) is setting up" \
		"$(VENV): wait for it; if that is something else: make clean" >&2; exit 1; }
	@echo "Setting up $(VENV), once; this takes a minute or two."
	@{ test ! -e $(UNREADY) && $(BIN)/python -c '$(NEW)' && \
		{ $(BIN)/python -m pip --version || $(BIN)/python -m ensurepip; }; } >/dev/null 2>&1 || $(NEW_VENV)
	@test ! -e $(READY) || $(PIP) install --dry-run --no-deps -r requirements.lock  # out of reach: nothing is touched
	@echo $$PPID > $(UNREADY)
	@$(PIP) install --no-deps --no-compile -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	@rm $(UNREADY) && cd ./$(VENV) && pwd -P > .ready
