# `make demo` and `make test` are all that is needed; `make` lists the rest.
# PYTHON names an interpreter (3.11 or later); SERVERS=no leaves out the tests that need real
# servers (batch systems, sshd, file servers, certificate authorities) or accounts, and installs nothing; PROCESSES is how many of pytest's run side by side; PYTEST_ARGS goes to pytest;
# GSI_OPENSSH is where the GSI-OpenSSH is, or is put, that tests use: make check-gsissh makes one, and so does
# make test where CI is set.

.DEFAULT_GOAL := help
.PHONY: help demo test lint check-rimrock check-gsissh docs-check benchmark constraints clean
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
SERVERS ?= yes
PROCESSES ?= 2
PYTEST_ARGS ?=
GSI_OPENSSH ?= /opt/gsi-openssh
export PYTHON

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## set up, run a small computation through the service, print its results
	@tools/venv.sh service
	@$(BIN)/python examples/demo.py

test: ## set up, start what the tests need, lint, and run all tests
	@tools/venv.sh dev
	@$(MAKE) lint
ifneq ($(SERVERS),no)
	@if [ "$$(id -u)" = 0 ]; then \
	for up in packages slurm-up gridengine-up; do tests/servers/$$up.sh || [ -z "$$CI" ] || exit 1; done; \
	[ -z "$$CI" ] || tests/servers/gsi-openssh/build.sh "$(GSI_OPENSSH)"; \
	else echo "not root: tests that need programs or servers which are not here are skipped" >&2; fi
endif
	@if [ -x "$(GSI_OPENSSH)/bin/gsissh" ]; then export GSI_OPENSSH="$(GSI_OPENSSH)"; fi; \
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile $(if $(filter no,$(SERVERS)),-m "not servers") $(PYTEST_ARGS)

lint: ## check form, types and imports
	@tools/venv.sh dev
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "run: $(BIN)/ruff format" >&2; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check-rimrock: ## Rimrock's calls with curl against a real CA, sshd and Slurm; delegation, TLS, users with accounts
	@$(MAKE) test PYTEST_ARGS="-v tests/rimrock tests/delegation tests/tls tests/accounts"

check-gsissh: ## hosts that take proxies: make a GSI-OpenSSH (a minute; root, Debian) and run the tests against it
	@tools/venv.sh dev
	@CI=yes $(MAKE) test PYTEST_ARGS="-v tests/transport tests/rimrock/test_own_proxies.py"

docs-check: ## run what the documentation shows
	@tools/venv.sh dev
	@$(BIN)/python -m pytest -q tests/docs

benchmark: ## measure, and write the tables to benchmarks/results
	@tools/venv.sh dev benchmark
	@$(BIN)/python benchmarks/run.py

constraints: ## choose the versions in constraints.txt anew (needs uv)
	@{ echo "# Versions with which Argosy is tested; pip and uv take it with -c. Made by: make constraints"; \
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra benchmark \
	--no-annotate --no-header --no-emit-index-url pyproject.toml; } >constraints.tmp
	@mv constraints.tmp constraints.txt

clean: ## remove .venv, .demo and caches
	@rm -rf .venv .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
