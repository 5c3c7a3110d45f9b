#!/bin/bash -eu
# Builds every fuzz target for OSS-Fuzz, each with its inputs and its dictionary. SRC is the directory of the checkout, OUT that of the results.
cd "$SRC/websocket-proto"

cargo fuzz build -O --debug-assertions

host=$(rustc -vV | sed -n 's/^host: //p')
for source in fuzz/fuzz_targets/*.rs; do
  target=$(basename "$source" .rs)
  cp "fuzz/target/$host/release/$target" "$OUT/"
  cp "fuzz/$(fuzz/dictionaries/choose "$target")" "$OUT/$target.dict"
  inputs=$(mktemp -d)
  fuzz/unpack "$target" "$inputs"
  cp "fuzz/seeds/$target"/* "$inputs/"
  zip --quiet --junk-paths --recurse-paths "$OUT/${target}_seed_corpus.zip" "$inputs"
  rm -r "$inputs"
done
