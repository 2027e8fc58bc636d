# make install | demo | test | test-beside-jwst | lint | types | docs | check | parity | truth | bench | clean

PYTHON ?= python3
VENV ?= .venv
BESIDE ?= .venv-jwst
DEMO ?= demo
BIN := $(VENV)/bin
INSTRUMENTS := fgs miri nircam niriss nirspec
MEMBERS := core plugins/detector plugins/simulate plugins/stpipe plugins/crds $(INSTRUMENTS:%=instruments/%)
SOURCES := $(MEMBERS:%=%/src)

.PHONY: install demo test test-beside-jwst lint types docs check parity truth bench clean

install: $(VENV)/.installed

# All members in one command: pip would otherwise ask the index for our own names.
$(VENV)/.installed: pyproject.toml constraints.txt requirements-dev.txt $(MEMBERS:%=%/pyproject.toml)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		-r requirements-dev.txt $(MEMBERS:%=-e %)
	@touch $@

demo: install
	$(BIN)/heliodor simulate nircam-imaging --out $(DEMO)/raw --references $(DEMO)/references
	$(BIN)/heliodor run $(DEMO)/raw/*_uncal.fits --references $(DEMO)/references --out $(DEMO)/products
	$(BIN)/heliodor picture $(DEMO)/products/*_rate.fits

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -q

# The same tests where the incumbent is installed with us, which wants asdf below 6, and other
# people's steps for it; what compares with it, or uses it, is left out by `make test`.
test-beside-jwst: $(BESIDE)/.installed
	HELIODOR_JWST_PYTHON=$(abspath $(BESIDE))/bin/python \
		$(BESIDE)/bin/python -m pytest -n 2 --dist loadfile -q

$(BESIDE)/.installed: pyproject.toml constraints.txt requirements-dev.txt $(MEMBERS:%=%/pyproject.toml)
	$(PYTHON) -m venv $(BESIDE)
	grep -v '^asdf==' constraints.txt > $(BESIDE)/constraints.txt
	$(BESIDE)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c $(BESIDE)/constraints.txt jwst==3.0.0 pysiaf snowblind columnjump \
		-r requirements-dev.txt $(MEMBERS:%=-e %)
	@touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy $(SOURCES)

docs: install
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build/html

check: lint types docs test

parity: install
	$(BIN)/python tools/parity.py

truth: install
	$(BIN)/python tools/truth.py
	$(BIN)/python tools/truth.py --mode all --size 256 --sky 0.1 300

bench: install
	$(BIN)/python tools/bench.py --report docs

clean:
	rm -rf $(VENV) $(BESIDE) $(DEMO) docs/_build
