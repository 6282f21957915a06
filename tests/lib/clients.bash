# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# clients.bash: clients that are told apart by their addresses, for the options that count what a client has.

# shellcheck disable=SC2034 # for the tests
GREEDY=127.77.0.1 OTHER=127.77.0.2 THIRD=127.77.0.3

# How many slots the clients have whose names begin with a pattern of grep.
held_by() { score slots -nr -o CLIENT | grep -c "^$1" || true; }
# The same for a pattern of the shell.
held_by_is() { heard score slots -nr -o CLIENT && heard_are "$1*" "$2"; }

# So many connections have a slot or wait.
have_come() {
  heard score slots -nr
  local served=${#HEARD[@]}
  heard score queue -nr
  [ $((served + ${#HEARD[@]})) = "$1" ]
}

# through_proxy HEADER...: connections of the proxy 127.88.0.1 that begin with these PROXY headers, in this order. One
# process holds them all, and opens each when the connections before it have come.
through_proxy() {
  local header n=0
  for header; do printf '%s\n' "$header"; done >"$T/headers"
  background "$T/through.out" python3 -c "
import os, socket, time
held = []
for n, header in enumerate(open('$T/headers')):
    while not os.path.exists(f'$T/through{n}.word'):
        time.sleep(0.02)
    held.append(socket.create_connection(('$ADDR', 3632), source_address=('127.88.0.1', 0)))
    held[-1].sendall(header.strip().encode() + b'\\r\\nsleep 600000\\n')
time.sleep(600)"
  for header; do
    word through$n
    n=$((n + 1))
    until_ok have_come $n
  done
}
