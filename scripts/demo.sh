#!/usr/bin/env bash
# Installs what is missing, builds, and runs `systole demo` with the arguments given.
# Standard output carries the demo's output only, so that `demo.sh --json` can be piped.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
command -v cargo >/dev/null 2>&1 || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

"$root/scripts/setup.sh"
cargo build --release --locked --manifest-path "$root/Cargo.toml" --package systole >&2
exec "${CARGO_TARGET_DIR:-$root/target}/release/systole" demo "$@"
