#!/usr/bin/env bash
# Installs what is missing, builds, and runs the tests, the format check and the lints.
#
#   scripts/test.sh              the default suites
#   scripts/test.sh --full       also the exhaustive suites (tests marked #[ignore])
#   scripts/test.sh --rusthdl    also crate hdl-rusthdl and its example, which bring rust-hdl and its dependencies
#   scripts/test.sh --cocotb     also the accelerator under cocotb, from the Python index
#
# Everything runs even after a failure, so that one run shows all; the exit code is 1 if anything failed.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
command -v cargo >/dev/null 2>&1 || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

full=0
rusthdl=0
cocotb=0
for argument in "$@"; do
    case "$argument" in
        --full) full=1 ;;
        --rusthdl) rusthdl=1 ;;
        --cocotb) cocotb=1 ;;
        *)
            printf 'test: %s: unknown argument; allowed: --full, --rusthdl, --cocotb\n' "$argument" >&2
            exit 2
            ;;
    esac
done

"$root/scripts/setup.sh"
cd "$root"

failed=()
run() { # name, command...
    local name="$1"
    shift
    printf 'test: %s\n' "$name" >&2
    "$@" </dev/null || failed+=("$name")
}

# The dev profile is optimised (see Cargo.toml), builds faster than release, and checks for overflow.
# Without --workspace or --package, cargo takes the default members.
run build cargo build --locked
if [ "$full" -eq 1 ]; then
    run tests cargo test --locked --no-fail-fast -- --include-ignored
else
    run tests cargo test --locked --no-fail-fast
fi
if [ "$rusthdl" -eq 1 ]; then
    run hdl-rusthdl cargo test --locked --no-fail-fast --package hdl-rusthdl
    run "hdl-rusthdl example" cargo run --locked --package hdl-rusthdl --example embed
    if cargo clippy --version >/dev/null 2>&1; then
        run "hdl-rusthdl lints" cargo clippy --locked --package hdl-rusthdl --all-targets -- -D warnings
    fi
fi
if [ "$cocotb" -eq 1 ]; then
    run cocotb scripts/cocotb.sh
fi
if cargo fmt --version >/dev/null 2>&1; then
    run format cargo fmt --all --check
else
    printf 'test: rustfmt is not installed: format not checked\n' >&2
fi
if cargo clippy --version >/dev/null 2>&1; then
    run lints cargo clippy --locked --keep-going --all-targets -- -D warnings
else
    printf 'test: clippy is not installed: lints not checked\n' >&2
fi

if [ ${#failed[@]} -gt 0 ]; then
    printf 'test: FAILED: %s\n' "${failed[*]}" >&2
    exit 1
fi
printf 'test: all passed\n' >&2
