#!/bin/sh
# The generated accelerator under cocotb: an AXI memory and an AXI-Lite master by others (cocotbext-axi) run a program.
# Usage: scripts/cocotb.sh [FOLDER [SEEDS]]. FOLDER: what `systole generate` wrote; without it, the preset tiny.
# Tools go into a virtual environment, COCOTB_VENV or target/cocotb.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${COCOTB_VENV:-$root/target/cocotb}
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
fi
"$venv/bin/python" -c 'import cocotb, cocotbext.axi' 2>/dev/null ||
  "$venv/bin/pip" install --quiet cocotb==2.1.0 cocotbext-axi==0.1.28
if [ $# -gt 0 ]; then
  folder=$1
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (cd "$root" && cargo run --quiet --locked -p systole -- generate --preset tiny --unit top -o "$folder/tiny" -q)
  folder=$folder/tiny
fi
exec_seeds=${2:-1 2}
status=0
SEEDS=$exec_seeds "$venv/bin/python" "$root/scripts/cocotb/run.py" "$folder" || status=$?
exit $status
