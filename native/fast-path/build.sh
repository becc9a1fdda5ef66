#!/bin/sh
# Builds the BPF object: sh native/fast-path/build.sh [OUTPUT]. Needs clang, bpftool and libbpf-dev; running needs none of
# them, since the object is committed. The same sources give the same bytes in any folder.
set -eu
cd "$(dirname "$0")"
output="${1:-carry.bpf.o}"
unlinked="$output.unlinked"
clang -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-address-of-packed-member -ffile-prefix-map="$PWD"=. \
  -I"/usr/include/$(uname -m)-linux-gnu" -c carry.bpf.c -o "$unlinked"
bpftool gen object "$output" "$unlinked"
rm "$unlinked"
