# `make up` runs the platform on this machine; `make test` proves it. `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# The exit status of a run whose canary is healthy and waits for a person.
CANARY_WAITS := 9

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The virtual environment, exactly as the lock file says; made anew when that changes.
$(STAMP): requirements/dev.lock setup.cfg pyproject.toml
	@tools/venv $(PYTHON) $(VENV)
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Install what is needed: virtual environment, system packages, servers
	@$(BIN)/flowrexctl dev setup

.PHONY: setup-load
setup-load: $(STAMP)
	@$(BIN)/flowrexctl dev setup --load

.PHONY: up
up: setup ## Run the whole platform on this machine
	@$(BIN)/flowrexctl dev up
	@$(BIN)/flowrexctl build --push dev
	@$(BIN)/flowrexctl run dev --yes || [ $$? -eq $(CANARY_WAITS) ]
	@$(BIN)/flowrexctl status dev
	@echo
	@echo "Next: change app/, then $(BIN)/flowrexctl build --push dev && $(BIN)/flowrexctl run dev"
	@echo "      $(BIN)/flowrexctl --help lists the verbs; make down stops everything."

.PHONY: down
down: $(STAMP) ## Stop it and leave nothing behind but its data
	@$(BIN)/flowrexctl dev down

.PHONY: check
check: $(STAMP) ## Format, lint, types, layers, migrations and unit tests, in seconds
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache | tail -1
	@$(BIN)/python tools/migrations.py
	@$(BIN)/pytest -q -n auto tests/unit

# The frontend's packages, exactly as its lock file says.
FRONTEND_STAMP := frontend/node_modules/.package-lock.json
$(FRONTEND_STAMP): frontend/package-lock.json
	@cd frontend && npm ci --ignore-scripts --silent
	@touch $@

.PHONY: frontend-check
frontend-check: $(FRONTEND_STAMP) ## Types and tests of the frontend
	@cd frontend && npm run --silent check && npm test --silent

.PHONY: test
test: setup-load check frontend-check ## Everything: checks, contract and live tests on clusters of their own
	@$(BIN)/pytest -q -n 2 --dist loadfile tests/contract
	@$(BIN)/pytest -m "not more" tests/live
	@$(BIN)/pytest -q -n 2 -m ci tests/faults

.PHONY: test-more
test-more: setup-load ## The longer live tests: containers, three servers that die, every kind of failure
	@$(BIN)/pytest -m more tests/live

.PHONY: faults
faults: setup-load ## Kill, cut off and lie to what must lose nothing, and look whether it did
	@$(BIN)/pytest tests/faults

.PHONY: golden
golden: $(STAMP) ## Write the golden job specs anew; review the diff
	@FLOWREX_UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/unit/generator/render/test_golden.py
	@git --no-pager diff --stat tests/golden

.PHONY: diagnoses
diagnoses: setup ## Provoke every kind of failure and write its golden files anew; review the diff
	@FLOWREX_UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/live/test_diagnoses.py
	@git --no-pager diff --stat tests/golden/diagnoses

.PHONY: reference
reference: $(STAMP) ## Write docs/reference anew from the code
	@$(BIN)/python tools/reference.py

.PHONY: agent-package
agent-package: $(STAMP) ## Make the node agent's tarball and Debian package in dist/
	@$(BIN)/flowrexctl build --agent

.PHONY: bench
bench: setup-load ## Measure against the peers and print the ratios
	@$(BIN)/python -m bench

.PHONY: format
format: $(STAMP) ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.PHONY: lock
lock: $(STAMP) ## Pin the newest versions that setup.cfg allows
	@tools/lock $(BIN)

.PHONY: clean
clean: ## Remove the virtual environment and what was built
	@rm -rf frontend/node_modules frontend/.next frontend/.server frontend/.tests
	@rm -rf $(VENV) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
