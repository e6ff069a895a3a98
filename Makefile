# Two commands do everything: `make run` and `make test`. Nothing is needed before them.
SHELL := /bin/sh
# The system's own Python first: distributions build theirs with profile-guided optimisation, which
# is worth a tenth of a login (docs/performance.md). It has to be able to make environments.
PYTHON ?= $(shell for python in /usr/bin/python3.11 python3.11 python3; do \
    command -v $$python >/dev/null && $$python -c 'import ensurepip' 2>/dev/null && \
    command -v $$python && exit; done; command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test screenshots fuzz testssl lint fmt compile bench soak clean setup setup-dev

setup: $(VENV)/.run-installed
setup-dev: $(VENV)/.dev-installed

# `python3 -m venv` needs Debian's python3-venv for pip. Where it is missing, root installs it and
# anybody else is told the one command that helps.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Postroad needs Python 3.11 or later; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        echo "Installing Debian's python3-venv (once) ..."; \
	        apt-get update -qq; apt-get install -y -qq python3-venv >/dev/null 2>&1 || { \
	            echo "apt-get install python3-venv failed: run it to see why" >&2; exit 1; }; \
	    else \
	        echo "python3-venv is missing: sudo apt-get install python3-venv" >&2; exit 1; \
	    fi; rm -rf $(VENV); $(PYTHON) -m venv $(VENV); }

# Debian's pip trusts what the system trusts, and without this package that is nobody.
CERTIFICATES = [ -e /etc/ssl/certs/ca-certificates.crt ] || \
    echo "ca-certificates is missing: sudo apt-get install ca-certificates" >&2

# `.venv/bin/python -m proxycore` works in any directory: an init system starts it in its own.
PURELIB = $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
FINDABLE = echo "$(CURDIR)" > "$(PURELIB)/postroad.pth"

$(VENV)/.run-installed: $(BIN)/pip requirements.txt constraints.txt
	@echo "Installing what Postroad runs on (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt || { $(CERTIFICATES); exit 1; }
	@$(FINDABLE)
	@touch $@

$(VENV)/.dev-installed: $(BIN)/pip requirements.txt requirements-dev.txt constraints.txt
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements-dev.txt || { $(CERTIFICATES); exit 1; }
	@$(FINDABLE)
	@touch $@ $(VENV)/.run-installed

run: setup
	@exec $(BIN)/python manage.py run

# files run side by side, in this many processes; JOBS=0 runs everything in one
JOBS ?= 2
test: setup-dev
	@sh tests/support/install_real_parts.sh
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

# as many inputs to each leg of the dialogue as one has patience for; `make test` has a few
FUZZ_EXAMPLES ?= 100000
fuzz: setup-dev
	@FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest tests/protocol/test_fuzz.py \
	    --timeout=0 -o faulthandler_timeout=0 -q $(ARGS)

# everything testssl.sh looks for, at every kind of listener; `make test` has that for one of them
testssl: setup-dev
	@TESTSSL_WHOLE=1 $(BIN)/python -m pytest tests/integration/tls/test_testssl.py \
	    --timeout=0 -o faulthandler_timeout=0 -q $(ARGS)

# the README's pictures are what the browser tests have seen
screenshots: setup-dev
	@$(BIN)/python -m pytest -q tests/browser/test_server_blocks.py tests/browser/test_explain.py \
	    tests/browser/test_import.py tests/browser/test_live_sessions.py
	@mkdir -p docs/screenshots
	@for file in tests/.artefacts/readme-*.png; do \
	    cp "$$file" "docs/screenshots/$${file##*/readme-}"; done

lint: setup-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py check --fail-level WARNING

fmt: setup-dev
	@$(BIN)/ruff check --fix-only -q . ; $(BIN)/ruff format -q .

# the data plane as C, which halves its own part of a login (ADR-0036); needs gcc and python3-dev
compile: setup-dev
	@$(BIN)/python -m proxycore.daemon.compiling

bench: compile
	@$(BIN)/python -m tests.bench $(ARGS)

# sessions that end at every state for half an hour, then a look at what is left of them
soak: setup-dev
	@$(BIN)/python -m tests.bench.soak

clean:
	rm -rf $(VENV) .compiled .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/.artefacts
