#!/usr/bin/env bash
# Installs the external programs that are missing. Does nothing, quickly, when all are there.
# Exit code 3: something is missing and cannot be installed from here; the message says what to do.
set -euo pipefail

say() { printf 'setup: %s\n' "$*" >&2; }

# A program of the user's choice counts as present: SYSTOLE_VERILATOR=/path/to/verilator.
present() { # binary, variable
    local given="${!2:-}"
    command -v "${given:-$1}" >/dev/null 2>&1
}

missing=()
need() { # binary, variable, package
    present "$1" "$2" && return
    say "$1 is missing (Debian package $3)"
    missing+=("$3")
}

need verilator SYSTOLE_VERILATOR verilator
need make SYSTOLE_MAKE make
need g++ SYSTOLE_GXX g++
need yosys SYSTOLE_YOSYS yosys
need iverilog SYSTOLE_IVERILOG iverilog

if ! command -v cargo >/dev/null 2>&1 && [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    say "cargo is missing: install Rust 1.88 or newer from https://rustup.rs, then run this again"
    exit 3
fi

if [ ${#missing[@]} -eq 0 ]; then
    say "all external programs are present"
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
    say "this is not Debian: install the equivalents of these Debian packages, then run this again: ${missing[*]}"
    exit 3
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        say "root is needed: run as root: apt-get update && apt-get install -y ${missing[*]}"
        exit 3
    fi
    as_root=(sudo)
    # Without a terminal nobody can type a password.
    [ -t 0 ] || as_root+=(-n)
fi

say "installing with apt-get: ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
# The package lists of a fresh machine are empty; those of an old one may do, so a failure here is not the end.
"${apt[@]}" update >&2 || say "apt-get update failed; trying with the package lists that are there"
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2; then
    say "apt-get could not install: ${missing[*]} (see its messages above)"
    exit 3
fi
say "installed: ${missing[*]}"
