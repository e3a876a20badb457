# The front door: thin names for what CMake, .ci/setup and tests/run do.
PRESET ?= release
LISTEN ?= 127.0.0.1:8080
DIR ?= scripts
JOBS ?= $(shell nproc 2>/dev/null || echo 2)

# $(call build_preset,PRESET,options of cmake --build); configuring is silent when it succeeds.
build_preset = mkdir -p build && { cmake --preset $(1) >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }; } \
  && cmake --build build/$(1) -j $(JOBS) $(2)

.DEFAULT_GOAL := help
.PHONY: help run build check test format clean

help: ## list these targets
	@echo "Targets (PRESET=release|debug|asan|tsan, default release):"
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

run: build ## install what is missing, build, and serve DIR (scripts/) on LISTEN (127.0.0.1:8080)
	build/$(PRESET)/tidegate --listen $(LISTEN) $(DIR)

build: ## install what is missing, and build build/release/tidegate alone
	@.ci/setup run
	@$(call build_preset,$(PRESET),--target tidegate)

check: ## install what is missing, then run what tells most in seconds: before every commit
	@tests/run check

test: ## install what is missing, then run every test in every build
	@tests/run

TEST_KINDS := arrows format luacheck tidy unit lua e2e clients browser count coverage fuzz
.PHONY: $(TEST_KINDS:%=test-%)
test-arrows:  ## check the shape of the tree: includes, length and opening of files, tables of files
test-format:  ## check that the C files are as `make format` would lay them out
test-luacheck: ## check all Lua with luacheck
test-tidy:    ## check core/ and tests/unit/ with clang-tidy
test-unit:    ## unit tests of core/ (cmocka)
test-lua:     ## specs of the framework in lua/ (busted)
test-e2e:     ## the running program over real sockets (busted)
test-clients: ## real WebSocket and EventSource clients (node)
test-browser: ## the demo page in a headless browser (node)
test-count:   ## what `make bench-count` compares (callgrind)
test-coverage: ## what `make coverage` prints
test-fuzz:    ## what `make fuzz` runs, a minute each
$(TEST_KINDS:%=test-%): test-%:
	@tests/run $* $(PRESET)

.PHONY: coverage fuzz
coverage: ## which lines of core/ the unit tests run, and these and tests/e2e, by file: 2 minutes
	@.ci/setup test
	@$(call build_preset,coverage)
	@LUA_PATH="./lua/?.lua;./lua/?/init.lua;./tests/?.lua;;" lua5.4 tests/coverage.lua

fuzz: ## run the fuzz drivers; TIME=60 seconds each, ONLY=name for one
	@.ci/setup test
	@$(call build_preset,fuzz)
	@FUZZ_TIME=$(or $(TIME),60) FUZZ_ONLY=$(ONLY) tests/fuzz/run

.PHONY: bench bench-full bench-build bench-count
bench: bench-build ## compare with a raw epoll loop and with other servers: 10 minutes
	@tests/bench/run short

bench-full: bench-build ## the same with every case and the plots: about an hour
	@tests/bench/run full

bench-count: ## count the instructions of fixed work, and compare; UPDATE=1 keeps the new counts
	@.ci/setup count
	@$(call build_preset,release,--target bench_count)
	@tests/bench/count/run $(if $(UPDATE),--update)

bench-build:
	@.ci/setup bench
	@$(call build_preset,bench)

.PHONY: reference
reference: build ## write the options and metrics in lua/doc/, and the types of options, from their rows
	@lua5.4 tests/reference.lua build/$(PRESET)/tidegate

format: ## lay out the C files with clang-format
	@find core tests -name '*.[ch]' -not -path '*/node_modules/*' | xargs clang-format -i

clean: ## delete everything that was built
	@rm -rf build
