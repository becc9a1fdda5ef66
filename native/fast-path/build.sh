#!/bin/sh
# Builds the BPF objects: sh native/fast-path/build.sh [FOLDER]. Needs clang, bpftool and libbpf-dev; running needs none of
# them, since the objects are committed. The same sources give the same bytes in any folder.
set -eu
cd "$(dirname "$0")"
folder="${1:-.}"
for name in carry probe; do
  output="$folder/$name.bpf.o"
  unlinked="$output.unlinked"
  clang -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-address-of-packed-member -ffile-prefix-map="$PWD"=. \
    -I"/usr/include/$(uname -m)-linux-gnu" -c "$name.bpf.c" -o "$unlinked"
  bpftool gen object "$output" "$unlinked"
  rm "$unlinked"
done
