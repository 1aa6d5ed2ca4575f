# Both targets set themselves up on a fresh Debian machine that has python3.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test conformance soak bench package clean

demo: .venv/.installed
	$(BIN)/rtu demo $(ARGS)

test: .venv/.installed-dev tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest

# Writes docs/conformance.md from what the tests of the checklist show.
conformance: .venv/.installed-dev
	$(BIN)/python -m pytest --conformance-report

# The long proofs at their full size: about an hour.
soak: .venv/.installed-dev tools
	OUTSTATION_SOAK=1 $(BIN)/python -m pytest -s $$(grep -rl --include='test_*.py' tests.scale tests)

bench: .venv/.installed-dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m bench

# Debian packages for each release and architecture, into dist/.
package: .venv/.installed
	$(BIN)/python image/package/build.py

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv || { test "$$(id -u)" = 0 && apt-get update && \
	  apt-get install -y --no-install-recommends python3-venv && $(PYTHON) -m venv --clear .venv; }

.venv/.installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,interop]'
	touch $@

# Programs the tests check us with, as COMMAND or COMMAND:PACKAGE of Debian, and packages without a command; without root
# the tests that need a missing one say so.
TOOLS := tshark openssl nmap nft:nftables ip:iproute2 openvpn wg:wireguard-tools wireguard-go rsyslogd:rsyslog \
  rsyslog-gnutls swtpm tpm2-openssl systemd-analyze:systemd systemd-nspawn:systemd-container mmdebstrap dpkg-deb:dpkg
.PHONY: tools
tools:
	@missing=""; for tool in $(TOOLS); do \
	  command -v $${tool%:*} >/dev/null || dpkg-query -s $${tool#*:} >/dev/null 2>&1 || missing="$$missing $${tool#*:}"; \
	done; if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
