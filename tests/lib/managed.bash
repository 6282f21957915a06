# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154  # variables are for the tests, and of the farm of a test
#
# managed.bash: a listener under the service manager lib/manager, which starts the service again after each end and keeps
# its descriptors.

# managed COMMAND...: COMMAND is the service, with $GATE (ADDRESS:PORT or unix:PATH) as its socket. Returns when it is
# ready. Its messages are in $T/relay.log, the manager's notes in $T/service.log. kill -USR1 "$MANAGER" restarts it, kill
# -USR2 with a new socket.
managed() {
  background "$T/relay.log" "$LIB/manager" "${GATE%:*}" "${GATE##*:}" "$T/service" "$@"
  MANAGER=$PID
  until_ok grep -q READY "$T/service.log"
}

# service: the pid of the service.
service() { cat "$T/service.pid"; }

# restarted BEFORE [N]: the service is another process than BEFORE, and was ready N times [2].
restarted() { [ "$(<"$T/service.pid")" != "$1" ] && [ "$(lines_with "$T/service.log" READY)" -ge "${2:-2}" ]; }

# waiters_of_service_are N: so many connections wait with the service itself.
waiters_of_service_are() { heard score queue -nr -o PID && heard_are "$(<"$T/service.pid")" "$1"; }
