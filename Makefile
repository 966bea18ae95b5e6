# Undrop: what can be done here. `make` or `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FORGE := contracts/forge
# Slither holds web3 below 8, so it lives apart.
SLITHER_VENV := .venv-slither

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

# -- install ---------------------------------------------------------------------------------------

.PHONY: tools
tools:
	@command -v $(PYTHON) >/dev/null || { echo "Python is not there: install Python 3.11 or later, or name it with PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old: Undrop needs Python 3.11 or later (PYTHON=… names another)"; exit 1; }
	@command -v node >/dev/null || { echo "Node.js is not there: install Node.js 20 or later"; exit 1; }
	@command -v npm >/dev/null || { echo "npm is not there: it comes with Node.js"; exit 1; }

$(VENV)/installed: requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.package-lock.json: package.json package-lock.json
	@# Not `npm ci`: Foundry's binaries are optional packages by platform, and not every registry has
	@# the other platforms' to lock. What is locked is installed as locked, with its hash.
	npm install --no-save --ignore-scripts --silent
	@touch $@

contracts/out/.built: node_modules/.package-lock.json $(shell find contracts/src contracts/test/mocks contracts/foundry.toml 2>/dev/null)
	@# With the stand-ins that tests use; the tests themselves are compiled when they run.
	$(FORGE) build --quiet src test/mocks
	@touch $@

.PHONY: install
install: tools $(VENV)/installed contracts/out/.built ## Install what is needed into this folder

.PHONY: contracts
contracts: tools contracts/out/.built ## Compile the contracts and export their ABIs

# -- run -------------------------------------------------------------------------------------------

.PHONY: run
run: install ## Start everything on this machine; Ctrl-C stops it, the next start goes on from there
	@$(BIN)/undrop run

.PHONY: reset
reset: ## Forget what `make run` has stored
	rm -rf var

RETURNS ?= 40
.PHONY: demo
demo: install ## Return real purchases: RETURNS=40 [SALES=file] [PLANT=1] [KILLS=n]
	@$(BIN)/python -m demo.run --returns $(RETURNS) $(if $(SALES),--sales "$(SALES)") $(if $(PLANT),--plant) $(if $(KILLS),--kills $(KILLS))

# -- check -----------------------------------------------------------------------------------------

.PHONY: test
test: install ## Run all tests; those that need a server are skipped, saying so, where none answers
	$(BIN)/python -m pytest
	SHIPPED=true $(if $(CI),FOUNDRY_INVARIANT_RUNS=256 FOUNDRY_INVARIANT_DEPTH=100) $(FORGE) test

.PHONY: bench-core
bench-core: install ## What one signature check and one decision cost
	@$(BIN)/python -m tests.bench.bench_core

.PHONY: bench-index
bench-index: install ## The index against the bare node, a script and the library [EVENTS=n]
	@$(BIN)/python -m tests.bench.bench_index

.PHONY: bench-relayer
bench-relayer: install ## The relayer against the node's ceiling, a script and a loop [TRANSACTIONS=n]
	@$(BIN)/python -m tests.bench.bench_relayer

.PHONY: bench-reconcile
bench-reconcile: install ## A million orders against processor and chain, first and after news [SCALE=1]
	@$(BIN)/python -m tests.bench.bench_reconcile

.PHONY: bench-settlement
bench-settlement: install ## Cases settled per second with 1, 2 and 4 workers, and what one costs [CASES=n]
	@PYTHONPATH=tests/support $(BIN)/python -m tests.bench.bench_settlement

.PHONY: bench-triage
bench-triage: install ## Deciding, alone, in bulk and over HTTP, beside a tutorial's service [CASES=n]
	@$(BIN)/python -m tests.bench.bench_triage

.PHONY: lint
lint: install ## Formatting, types, imports, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(FORGE) fmt --check
	@$(MAKE) --no-print-directory slither

$(SLITHER_VENV)/installed: requirements-slither.lock
	$(PYTHON) -m venv $(SLITHER_VENV)
	$(SLITHER_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-slither.lock
	@touch $@

.PHONY: slither
slither: install $(SLITHER_VENV)/installed ## Static analysis of the contracts; medium findings and above fail
	@# It finds our forge on the PATH, and builds apart since it begins with a clean; what it reads does not
	@# depend on the optimizer. A function of ours that it could not translate was not analysed, which it
	@# only mentions: that fails too.
	@mkdir -p var/slither
	@set -o pipefail; cd contracts && PATH="$(CURDIR)/contracts:$$PATH" FOUNDRY_OPTIMIZER=false FOUNDRY_VIA_IR=false \
	  FOUNDRY_OUT="$(CURDIR)/var/slither/out" FOUNDRY_CACHE_PATH="$(CURDIR)/var/slither/cache" \
	  "$(CURDIR)/$(SLITHER_VENV)/bin/slither" . 2>&1 | tee "$(CURDIR)/var/slither/report.txt"
	@! grep -q 'Impossible to generate IR.*(src/' var/slither/report.txt

.PHONY: gas
gas: install ## Gas of whole transactions on a local chain, alone and in batches of 50
	@$(BIN)/python -m tests.bench.bench_gas

.PHONY: coverage
coverage: install ## Branch coverage of the contracts by their Forge tests; fails below 95 %
	@$(BIN)/python -m tests.bench.contract_coverage

.PHONY: mutants
mutants: install ## Do the Forge tests catch planted faults? [MUTANTS=n] [MUTATE="Contract *Zone"] [AGAIN=1]
	@$(BIN)/python -m tests.mutation.run

CASES ?= 100000
SEARCH ?= 20000
.PHONY: oracle
oracle: install ## The policy gate against docs/policies.md, written a second time: [CASES=n] [SEED=n] [SEARCH=n]
	@$(BIN)/python -m tests.oracle.run --cases $(CASES) --seed $(or $(SEED),2026) --search $(SEARCH)

FAULTS ?= 1000
DB ?= both
.PHONY: chaos-chain
chaos-chain: install ## A thousand faults around the relayer, then an audit: [FAULTS=1000] [SEED=n] [DB=sqlite|postgres|both]
	@$(BIN)/python -m tests.chaos.chain.run --faults $(FAULTS) --db $(DB) $(if $(SEED),--seed $(SEED))

.PHONY: chaos-index
chaos-index: FAULTS = 300
chaos-index: install ## Reorgs, bad nodes and kills around the index, then an audit: [FAULTS=300] [SEED=n] [DB=…]
	@$(BIN)/python -m tests.chaos.index.run --faults $(FAULTS) --db $(DB) $(if $(SEED),--seed $(SEED))

RETURNED ?= 500
.PHONY: chaos-settlement
chaos-settlement: install ## Returns in a storm, then an audit of all money: [RETURNED=500] [SEED=n] [DB=…]
	@$(BIN)/python -m tests.chaos.settlement.run --cases $(RETURNED) --db $(DB) $(if $(SEED),--seed $(SEED))

.PHONY: lock
lock: ## Pin dependencies anew (needs uv)
	uv pip compile --python-version 3.11 --generate-hashes --no-header pyproject.toml -o requirements.lock --quiet
	uv pip compile --python-version 3.11 --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.lock --quiet
	uv pip compile --python-version 3.11 --generate-hashes --no-header --group pyproject.toml:slither -o requirements-slither.lock --quiet
