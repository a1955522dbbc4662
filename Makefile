# Everything runs in .venv, which the first target that needs it sets up.

VENV := .venv
PYTHON := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: run test quick soak check ui serve stop-serve bench lock clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(READY) ## search configs/default.yaml and show the ladders found
	@$(PYTHON) -m flows.run $(ARGS)

test: $(READY) ## run all tests
	@$(PYTHON) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

quick: $(READY) ## run the tests that start no server and kill no process: a minute or two
	@$(PYTHON) -m pytest -n 4 --dist loadfile -m "not (integration or slow or soak)" $(ARGS)

soak: $(READY) ## faults by the hundred: kills, locks, full disks; takes half an hour
	@$(PYTHON) -m pytest -n 2 --dist loadfile -m soak $(ARGS)

check: $(READY) ## linters, types and the direction of imports
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-cache

ui: $(READY) ## start the Prefect and MLflow pages on 127.0.0.1
	@$(PYTHON) -m flows.app ui $(ARGS)

serve: $(READY) ## schedule searches: both pages, a worker and the deployments, in the background
	@$(PYTHON) -m flows.app serve $(ARGS)

stop-serve: $(READY) ## end what `make serve` has started
	@$(PYTHON) -m flows.app stop

bench: $(READY) ## measure evaluator, search, scale, workers and faults; prints ratios; takes an hour
	@$(PYTHON) -m benchmarks.evaluator
	@$(PYTHON) -m benchmarks.quality
	@$(PYTHON) -m benchmarks.refinement
	@$(PYTHON) -m benchmarks.scale
	@$(PYTHON) -m benchmarks.workers
	@$(PYTHON) -m benchmarks.faults
	@$(PYTHON) -m benchmarks.readme

lock: $(READY) ## write the versions of all packages to requirements.lock
	@$(VENV)/bin/uv pip compile pyproject.toml --extra dask --extra postgresql --group dev --universal --python-version 3.11 \
		--no-header --no-annotate --upgrade --quiet --output-file requirements.lock

clean: ## remove the environment and caches; results stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml requirements.lock
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	@echo "Setting up $(VENV), once; this takes about a minute."
	@test -x $(PYTHON) || uv venv --quiet --seed $(VENV) 2>/dev/null || python3 -m venv $(VENV)
	@test -x $(VENV)/bin/uv || $(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/uv pip install --quiet --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(abspath $(VENV)) $(VENV)/bin/uv pip install --quiet --no-deps --editable .
	@touch $(READY)
