# What `run` and `minimize` have in common: source it in `fuzz/`, with the name of the script in `script`.
# shellcheck shell=bash
exec </dev/null
export CARGO_TERM_COLOR=never

missing() {
  echo "fuzz/$script: SKIPPED: $1" >&2
  exit 77
}

# choose_targets [TARGET...]: sets `targets` to these, or to all if none is named.
choose_targets() {
  local file target
  targets=("$@")
  [ $# -gt 0 ] || for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
  for target in "${targets[@]}"; do
    [ -f "fuzz_targets/$target.rs" ] || { echo "fuzz/$script: no target $target" >&2 && usage; }
  done
}

# A directory for logs and the like, which is removed at the end, when what still runs is stopped.
scratch=$(mktemp -d)
finish() {
  local running
  running=$(jobs -p)
  # shellcheck disable=SC2086 # one word for each
  [ -z "$running" ] || kill $running 2>/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT

# Builds `targets`, or exits with 77 if a required tool is not available.
build_targets() {
  local toolchain=() tools=${XDG_CACHE_HOME:-$HOME/.cache}/websocket-proto-fuzz
  command -v cargo >/dev/null || missing "no cargo"
  if cargo +nightly --version >/dev/null 2>&1; then
    toolchain=(+nightly)
  else
    export RUSTC_BOOTSTRAP=1
  fi
  host=$(rustc "${toolchain[@]}" -vV | sed -n 's/^host: //p')
  compiles >"$scratch/log" 2>&1 || missing "no compiler with the address sanitizer: $(head -n 1 "$scratch/log")"
  command -v "${CXX:-c++}" >/dev/null || missing "no C++ compiler, which libFuzzer takes"
  if [ ! -x "$tools/bin/cargo-fuzz" ]; then
    cargo install --quiet cargo-fuzz --locked --root "$tools" || missing "cargo-fuzz cannot be installed"
  fi
  # Always a separate directory, because the flags and the toolchain differ.
  unset CARGO_TARGET_DIR
  local built=${FUZZ_TARGET_DIR:-$PWD/target} only=()
  binaries=$built/$host/release
  [ "${#targets[@]}" != 1 ] || only=("${targets[0]}")
  PATH=$tools/bin:$PATH cargo "${toolchain[@]}" fuzz build --fuzz-dir . --target "$host" --target-dir "$built" ${only[@]+"${only[@]}"}
}

# Checks the sanitizer, its runtime and the C++ compiler with a minimal program.
compiles() {
  echo 'fn main() {}' >"$scratch/main.rs"
  rustc "${toolchain[@]}" -Zsanitizer=address --target "$host" -o "$scratch/main" "$scratch/main.rs" && "$scratch/main"
}

# The limits of one execution.
limits=(-timeout=60 -rss_limit_mb=2048)
