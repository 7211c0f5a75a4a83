# `make test` is what continuous integration runs too.

# What the tests need beside Go: a real Cyrus, the programs with which anyone
# may open an archive, and a C compiler for the race detector.
PACKAGES  = cyrus-imapd cyrus-caldav sasl2-bin libsasl2-modules zstd sqlite3 gcc libc6-dev chromium
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
FUZZTIME  = 15s

# Only root can start Cyrus; where it can, it must.
ROOT := $(filter 0,$(shell id -u))

.PHONY: build test check needs demo cross fuzz harness bench bench-memory

build:
	CGO_ENABLED=0 go build -o mailhaul ./cmd/mailhaul
	./mailhaul manual dist

test: needs check
	$(if $(ROOT),MAILHAUL_REQUIRE_CYRUS=1,@echo "Not root: the tests on a real Cyrus are left out.";) \
	CGO_ENABLED=1 go test -race -timeout 30m ./...
# Each write, request and byte in turn, of which the race detector leaves time for samples.
	go test -timeout 30m ./archive ./importer
	$(if $(ROOT),MAILHAUL_REQUIRE_CYRUS=1) go test -timeout 30m -run TestEachState ./internal/e2e

check:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "run gofmt -w on:" $$files; exit 1; }
	go vet ./...
	go tool staticcheck ./...

needs:
	@command -v apt-get >/dev/null || exit 0; \
	missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	test -n "$$missing" || exit 0; echo "installing" $$missing; \
	$(if $(ROOT),,sudo) sh -ec "apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$(echo $$missing)"

demo:
	go run ./cmd/mailhaul demo

cross:
	@for p in $(PLATFORMS); do echo "building for $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build ./... || exit 1; done

fuzz:
	@grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func / /' | while read -r file target; do \
	  echo "$$target in $$file"; \
	  go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" </dev/null || exit 1; done

# The whole way under random disturbances. On a failure run the line that it
# prints; set CASES for more or fewer.
CASES = 2000
harness:
	MAILHAUL_HARNESS_CASES=$(CASES) go test -timeout 90m -v -run TestTheWholeWay ./internal/harness

# mailhaul beside what the server and the wire allow; BENCH takes flags, such as
# BENCH='-servers cyrus -rtt 100'.
bench:
	go run ./internal/bench $(BENCH)

bench-memory:
	go run ./internal/bench/memory
