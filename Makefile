# Everything runs in .venv, which is made when it is missing or older than its recipe.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROUNDS ?= 10000
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo package test check lint types imports drawing audit soak mutants bench e2e-litellm test-2027 manual constraints clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  \1\t/' | expand -t 16

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## the tour: the main job on the sample file against the sandbox, with a crash and a lost ledger
	@$(BIN)/ftjobs sandbox

package: $(READY) ## build the wheel and the sdist, install each in an environment of its own, and use them
	@PYTHON="$(PYTHON)" sh .ci/package

test: $(READY) ## the whole suite
	$(BIN)/python -m pytest -n 4 --dist worksteal

check: lint types imports audit test ## lint, types, import rules, known vulnerabilities, tests

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports --no-cache

drawing: $(READY) ## draw ARCHITECTURE.md's picture of the packages anew
	$(BIN)/python -m tests.docs.drawing

audit: $(READY)
	@$(BIN)/python .ci/audit

soak: $(READY) ## the whole fault matrix, long fuzzing, and random kills (ROUNDS=10000); it goes on where it stopped
	$(BIN)/python -m pytest -n 4 --dist worksteal -m soak
	$(BIN)/python -m pytest -n 4 --dist worksteal --hypothesis-profile=soak tests/properties
	$(BIN)/python -m tests.faults.kills --rounds $(ROUNDS)

mutants: $(READY) ## remove each protected step in turn and see tests go red
	$(BIN)/python -m tests.mutants

bench: $(READY) ## counting and following against scripts (ONLY=check, BYTES=10M; ONLY=sync or ledger, JOBS=1000; ONLY=reconcile; ONLY=writers; ONLY=startup; 0.7 GB of disk)
	$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(BYTES),--bytes $(BYTES)) $(if $(JOBS),--jobs $(JOBS))

e2e-litellm: $(READY) ## the main job through a real LiteLLM proxy, in an environment of its own (600 MB)
	$(PYTHON) -m venv .litellm
	.litellm/bin/python -m pip install --quiet --disable-pip-version-check -r tests/intermediary/requirements.txt
	$(BIN)/python -m tests.intermediary .litellm/bin/litellm

test-2027: $(READY) ## the suite with the clock at 2027-06-01 (needs Debian's faketime)
	faketime -f '@2027-06-01 12:00:00' $(BIN)/python -m pytest -n 4 --dist worksteal

manual: $(READY) ## renew MANUAL.md and the README's table of commands from the code
	$(BIN)/python -m tests.docs.manual

constraints: ## renew the pins from what the registry has today
	rm -rf .constraints-venv
	$(PYTHON) -m venv .constraints-venv
	.constraints-venv/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	{ echo "# Pins without addresses; renew with: make constraints"; \
	  .constraints-venv/bin/python -m pip freeze --exclude ftjobs; } > constraints.txt
	rm -rf .constraints-venv
	@! grep -nE '://| @ ' constraints.txt

clean: ## remove what the targets made
	rm -rf $(VENV) .bench .litellm .package .soak build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
