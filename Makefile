# The few verbs a person types. `make run` and `make test` install what Debian packages they lack.

SWIFT = swift
RELEASE = -c release --explicit-target-dependency-import-check error
KNAPSACK = .build/release/knapsack
ARCH ?= aarch64

.PHONY: run test build install lint format check-modules check-embedded check-neon device fuzz bench clean

# Packs the digits recipe for this machine and runs it over its held-out test images: with the
# dashboard on a terminal (many passes, so that there is time to look; q ends it), as plain lines
# anywhere else.
run: build
	$(KNAPSACK) pack Bundles/digits --target host --output .build/digits.knap
	$(KNAPSACK) run .build/digits.knap Bundles/digits/test.safetensors \
	  $$([ -t 0 ] && echo --repeat 2000)

build:
	@scripts/setup.sh run
	$(SWIFT) build $(RELEASE)

# The tool with its man pages and completions, below PREFIX. It needs no Swift where it runs.
PREFIX ?= /usr/local
install:
	@scripts/setup.sh run
	$(SWIFT) build $(RELEASE) --static-swift-stdlib --scratch-path .build/install --product knapsack
	python3 scripts/manual.py .build/install/release/knapsack .build/install/share
	install -D -s -m 755 .build/install/release/knapsack $(DESTDIR)$(PREFIX)/bin/knapsack
	cd .build/install/share && find . -type f -exec \
	  install -D -m 644 {} $(DESTDIR)$(PREFIX)/share/{} \;

test: lint check-modules
	@scripts/setup.sh run test
	$(SWIFT) build $(RELEASE) --build-tests
	python3 scripts/support-table.py
	$(SWIFT) test $(RELEASE) --skip-build
	$(MAKE) check-embedded check-neon

# Cheapest first: style, then the arrows between modules and the README's table of them.
lint:
	$(SWIFT) format lint --strict -r Sources Tests Plugins Package.swift

format:
	$(SWIFT) format -i -r Sources Tests Plugins Package.swift

check-modules:
	@scripts/setup.sh test
	python3 scripts/check-modules.py

check-embedded:
	@scripts/setup.sh run test
	scripts/check-embedded.sh

# The NEON kernels against scalar, under qemu.
check-neon:
	@scripts/setup.sh test
	scripts/neon-tests.sh

# The device tool, static, for ARCH (aarch64 or x86_64): .build/embedded/ARCH/knapsack-run
device:
	@scripts/setup.sh device
	python3 scripts/build-device.py $(ARCH)

# The importers against hostile bytes: FUZZ_SECONDS for each format.
FUZZ_SECONDS ?= 60
fuzz:
	@scripts/setup.sh run
	scripts/fuzz.sh $(FUZZ_SECONDS)

# MiniLM beside ONNX Runtime, interleaved in one run.
bench: build
	@scripts/setup.sh bench
	Benchmarks/minilm/run.sh

clean:
	rm -rf .build
