# Ultra Recovery. `make` lists what there is to do.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The cluster package needs no virtual environment, only Python >= 3.11: name another one with PYTHON=…
PYTHON ?= $(shell scripts/bootstrap find-python)
CLUSTER = $(PYTHON) -m e2e.cluster
# Arguments for pytest, or for the matrix: make test ARGS="-k eviction"
ARGS ?=
# Minutes of the soak at the end of make drill
SOAK ?= 60

##@ Develop

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(READY) ## Make the virtual environment .venv from the locked packages
	@echo "$(VENV) is ready"

$(READY): requirements-dev.txt requirements-build.txt pyproject.toml scripts/bootstrap
	@scripts/bootstrap venv "$(PYTHON)" $(VENV)
	@touch $@

.PHONY: lint
lint: $(READY) ## Style, types and layers, without running tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: check
check: lint ## Everything fast: lint, unit and architecture tests (what pre-commit runs)
	$(BIN)/pytest -q tests/unit tests/architecture $(ARGS)

.PHONY: generate
generate: $(READY) ## Write the CRDs and all other generated files
	$(BIN)/ultra-recovery generate
	$(BIN)/python -m tests.failures
	@$(MAKE) manifests

.PHONY: manifests
manifests: ## Make the plain manifests in deploy/ from the Helm chart
	@$(CLUSTER) tools helm
	PATH="$(CURDIR)/.cluster/bin:$$PATH" scripts/manifests

.PHONY: lock
lock: ## Resolve pyproject.toml into the hashed requirements files (UPGRADE=1: to the newest versions)
	@UPGRADE="$(UPGRADE)" scripts/lock "$(PYTHON)"

.PHONY: bench
bench: $(READY) ## Measure API, fence and engine, and on a cluster an outage, a lost leader and a hung pod (ARGS=repetitions)
	PYTHONPATH=operator $(BIN)/python -m benchmarks.rest
	PYTHONPATH=operator $(BIN)/python -m benchmarks.fence
	PYTHONPATH=operator:. $(BIN)/python -m benchmarks.engine
	@$(CLUSTER) tools helm
	@PYTHONPATH=operator $(CLUSTER) run -- bash -c '$(BIN)/python -m benchmarks.fleet.outage && \
		$(BIN)/python -m benchmarks.takeover "$$@" && $(BIN)/python -m benchmarks.hung_pod "$$@"' bench $(ARGS)

.PHONY: bench-fleet
bench-fleet: $(READY) ## Measure many breakers beside a bare loop and Prometheus (ARGS="1000 --tls --no-peer"), on the local cluster
	@$(CLUSTER) tools prometheus blackbox_exporter
	@PYTHONPATH=operator:. $(CLUSTER) run -- $(BIN)/python -m benchmarks.fleet $(ARGS)

##@ Test on a cluster (CLUSTER=auto|current|kind|local)

.PHONY: test
test: lint ## Everything: lint, then all tests on a cluster, made for them if there is none
	@$(CLUSTER) tools helm kubeconform kube-score promtool lua5.1
	@scripts/checkov $(BIN)/python --version >/dev/null
	@scripts/database-servers
	@$(CLUSTER) run -- $(BIN)/pytest tests e2e $(ARGS)

.PHONY: drill
drill: $(READY) ## The crash matrix in full, each way to lose a leader ten times, an hour of faults (with ARGS: the matrix)
	@$(CLUSTER) tools helm
	@$(CLUSTER) run -- bash -c '$(BIN)/python -m tests.matrix "$$@"$(if $(ARGS),, && \
		ULTRA_REPETITIONS=10 $(BIN)/pytest -q e2e/test_high_availability.py && \
		PYTHONPATH=operator $(BIN)/python -m benchmarks.soak --minutes $(SOAK))' drill $(ARGS)

.PHONY: explore
explore: $(READY) ## Let property tests and the fuzz of objects look for what nobody has thought of (an hour)
	@$(CLUSTER) run -- $(BIN)/pytest --hypothesis-profile=deep --timeout 7200 tests/unit/core/test_run_machine.py \
		tests/unit/core/test_breaker_machine.py tests/unit/core/test_dry_run_agrees.py \
		tests/integration/test_fuzz_objects.py $(ARGS)

.PHONY: demo
demo: $(READY) ## Show the product at work on a cluster, which stays up
	@$(CLUSTER) tools helm
	@$(CLUSTER) up
	@$(CLUSTER) run -- $(BIN)/python -m e2e.demo

.PHONY: image
image: ## Build the images and make them available in the cluster
	@$(CLUSTER) images

.PHONY: cluster-up
cluster-up: ## Start the cluster, or repair the one that is there
	@$(CLUSTER) up

.PHONY: cluster-status
cluster-status: ## Show whether the cluster is usable
	@$(CLUSTER) status

.PHONY: cluster-down
cluster-down: ## Remove the cluster
	@$(CLUSTER) down

##@ Clean up

.PHONY: clean
clean: cluster-down ## Remove the cluster and everything that tests leave in the checkout
	rm -rf .cluster .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist

.PHONY: distclean
distclean: clean ## Also remove the virtual environment and the cached programs and images
	rm -rf $(VENV)
	@$(CLUSTER) forget
