#!/bin/sh
# keepalived's health check: exit 0 while this router's engine decides packets and has joined its cluster.
#
#     alive.sh [STATE-DIRECTORY]
#
# The engine writes its uptime into the file `alive` five times a second. Starts no program, so it may run every second.
MOST=80 # hundredths of a second: three writes may be missing

read -r written 2>/dev/null <"${1:-/run/acsplit}/alive" || exit 1
read -r now _ </proc/uptime
written="${written%.*}${written#*.}"
now="${now%.*}${now#*.}"
age=$((now - written))
# Less than 0: the file is of an earlier boot.
[ "$age" -ge 0 ] && [ "$age" -le "$MOST" ]
