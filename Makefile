# thinveil's chores. `make help` lists them.
#
# All of them work on a fresh Debian 12 machine with Rust, gcc, make and git, as root; what else is
# needed is installed by tools/install-prerequisites.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
TOOLS := $(abspath $(TARGET_DIR))/tools
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

# What test-matrix runs on.
MAJORS ?= 13 14 15 16 17 18

# Each test that starts servers wants a core for itself.
export RUST_TEST_THREADS ?= 2

.PHONY: help
help: ## list the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## show thinveil on a production cluster made for the purpose
	@tools/install-prerequisites
	cargo run --release --package xtask -- demo $(ARGS)

.PHONY: test
test: ## run all tests
	@tools/install-prerequisites --tests
	tools/on-test-disk cargo test --workspace
	@$(MAKE) --no-print-directory test-python \
		THINVEIL_LIBRARY=$(abspath $(TARGET_DIR))/debug/deps/libthinveil_ffi.so
	@$(MAKE) --no-print-directory test-zfs ZFS_TESTS="--test storage"
	@tools/fuzz 30

.PHONY: test-ffi
test-ffi: ## test the C ABI: gcc, clang, AddressSanitizer, valgrind
	@tools/install-prerequisites --tests
	cargo test --package thinveil-ffi

ZFS_GUEST := $(abspath $(TARGET_DIR))/zfs-guest
# `make test` has only the first of them.
ZFS_TESTS ?= --test storage --lib --test end_to_end

.PHONY: test-zfs
test-zfs: ## test the driver zfs, in a guest that has OpenZFS
	@tools/install-prerequisites --tests
	@tests/zfs_guest/build $(ZFS_GUEST)
	@# With --package, cargo would build with fewer features, all anew.
	@tests=$$(cargo test --workspace --features thinveil/zfs $(ZFS_TESTS) --no-run 2>&1 \
		| tee >(cat >&2) | sed -n 's/.*Executable .*(\(.*deps.\(storage\|thinveil\|end_to_end\)-[0-9a-f]*\))/\1/p'); \
	[[ -n "$$tests" ]]; \
	for test in $$tests; do \
		tests/zfs_guest/run $(ZFS_GUEST) "$$test" --ignored zfs --test-threads 1 \
			--color never; \
	done

PYTHON_TESTS := $(abspath $(TARGET_DIR))/python-tests

.PHONY: python-tests
python-tests:
	@tools/install-prerequisites --tests
	python3 -m venv $(PYTHON_TESTS)
	THINVEIL_PROFILE=dev THINVEIL_LIBRARY=$(THINVEIL_LIBRARY) \
		$(PYTHON_TESTS)/bin/pip install --quiet './ffi/python[test,spark,ray]'

.PHONY: test-python
test-python: python-tests ## test the Python package, installed from its wheel
	cd ffi/python && $(PYTHON_TESTS)/bin/mypy
	cd ffi/python && ../../tools/on-test-disk $(PYTHON_TESTS)/bin/pytest -q -p no:cacheprovider

.PHONY: test-workers
test-workers: python-tests ## mask files of ten million rows on Spark and on Ray, and compare
	cd ffi/python && THINVEIL_TEST_ROWS=10000000 $(PYTHON_TESTS)/bin/pytest -q -p no:cacheprovider \
		tests/test_workers.py

PREFIX ?= /usr/local
LIB := $(DESTDIR)$(PREFIX)/lib
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

.PHONY: install-ffi
install-ffi: prerequisites ## install libthinveil, its header and thinveil.pc (PREFIX, DESTDIR)
	cargo build --release --package thinveil-ffi
	install -D -m 755 $(TARGET_DIR)/release/libthinveil_ffi.so $(LIB)/libthinveil.so.1
	ln -sf libthinveil.so.1 $(LIB)/libthinveil.so
	install -D -m 644 $(TARGET_DIR)/release/libthinveil_ffi.a $(LIB)/libthinveil.a
	install -D -m 644 ffi/include/thinveil.h $(DESTDIR)$(PREFIX)/include/thinveil.h
	install -d $(LIB)/pkgconfig
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' ffi/thinveil.pc.in > $(LIB)/pkgconfig/thinveil.pc

.PHONY: fuzz
fuzz: prerequisites ## fuzz the decoders (SECONDS=600 for each; ARGS="pglz lz4" for some)
	@tools/fuzz $(or $(SECONDS),600) $(ARGS)

.PHONY: fuzz-smoke
fuzz-smoke: prerequisites ## the same for 30 seconds each, as in `make test`
	@tools/fuzz 30 $(ARGS)

.PHONY: test-matrix
test-matrix: ## run the end-to-end tests on PostgreSQL 13 to 18, servers from npm
	@tools/install-prerequisites --tests
	@# With --test alone, cargo would build with fewer features, all anew.
	@tests=$$(cargo test --workspace --no-run 2>&1 | tee >(cat >&2) \
		| sed -n 's/.*Executable tests.end_to_end.main.rs (\(.*\))/\1/p'); \
	failed=; for major in $(MAJORS); do \
		echo "PostgreSQL $$major"; \
		THINVEIL_TEST_MAJOR=$$major tools/on-test-disk "$$tests" --skip majors:: \
			|| failed="$$failed $$major"; \
	done; \
	if [[ -n "$$failed" ]]; then echo "failed on:$$failed" >&2; exit 1; fi

# Failpoints, random kills, power failures, writes that fail, a full disk, sequences of verbs.
TORTURES := failpoints:: random_runs:: disk_faults:: crashes::

.PHONY: torture
torture: ## crash the pool in every way, at most an hour (`make test` does some of it)
	@tools/install-prerequisites --tests
	THINVEIL_TORTURE=1 RUST_BACKTRACE=0 tools/on-test-disk cargo test --package thinveil --lib -- --nocapture $(TORTURES)

.PHONY: lint
lint: $(CARGO_DENY) ## formatting, clippy, documentation, tidy, public API, licences
	@tools/install-prerequisites --tests
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --workspace --all-targets --features thinveil/zfs -- -D warnings
	@# Each feature by itself, and none.
	for feature in "" sql archive cli arrow; do \
		cargo clippy --package thinveil --no-default-features --features "$$feature" -- -D warnings; \
	done
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	cargo xtask tidy
	tools/public-api
	$(CARGO_DENY) --locked check licenses bans sources

.PHONY: bench
bench: ## compare with SQL masking and with cp (ARGS="--rows 300000" for a quick look)
	@tools/install-prerequisites
	cargo run --release --package compare -- $(ARGS)

.PHONY: bench-compare
bench-compare: ## compare with other ways to mask (ARGS="--rows 300000" for a quick look)
	@tools/install-prerequisites
	cargo run --release --package compare -- --peers $(ARGS)

.PHONY: bench-toast
bench-toast: ## the memory that a TOAST table of 4 GB takes
	@tools/install-prerequisites
	cargo run --release --package compare -- --toast

.PHONY: prerequisites
prerequisites:
	@tools/install-prerequisites

# Unoptimised and without features: it builds in a minute and a half, and runs in seconds.
$(CARGO_DENY):
	cargo install --locked --debug --no-default-features --quiet \
		--root $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny@$(CARGO_DENY_VERSION)
