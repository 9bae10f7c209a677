# 'make demo' and 'make test' do all the set-up themselves; they need Python 3.10 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test quick check lab deb install sounds clean

demo: $(VENV)/installed
	$(BIN)/consentivr demo

# On two cores: most of what plays calls, and of what runs on a real switch, waits more than it computes.
test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore=tests/switch --ignore=tests/flow --ignore=tests/lab
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/flow tests/lab
	$(BIN)/python -m pytest -n 3 tests/switch --ignore=tests/switch/test_machines.py
	$(BIN)/python -m pytest tests/switch/test_machines.py

# While you work: all but what is marked 'slow'.
quick: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

# What .ci/run adds to the tests: lint, format, types, import rules, coverage floors.
check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The lab of lab/docker-compose.yml without Docker: needs freeswitch and sipp on this machine; see docs/lab.md.
lab: $(VENV)/installed-dev
	$(BIN)/python lab/run_lab.py

# dist/consentivr_*.deb, for the Debian that this runs on; needs debhelper, python3-pip and python3-venv.
deb:
	debian/rules clean binary

# In a virtual environment of its own; then, on the machine of the switch: consentivr setup
PREFIX ?= /opt/consentivr
install:
	$(PYTHON) -m venv $(PREFIX)
	$(PREFIX)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade .
	ln -sf $(PREFIX)/bin/consentivr /usr/local/bin/consentivr

sounds: $(VENV)/installed-dev
	$(BIN)/consentivr prompts build --config sounds/all.yaml --out sounds

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv* build dist *.egg-info
