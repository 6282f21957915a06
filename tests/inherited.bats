#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# A program puts right the state that it inherits: signals that are ignored, blocked or pending, timers, the mask of
# modes, and soft limits of a file's size, of the processor's time and of memory.

load lib/helpers

setup() {
  farm_setup
  cat >"$T/odd" <<'END'
#!/usr/bin/env python3
import os, resource, signal, sys, time

for number in range(1, signal.SIGRTMAX + 1):
    if number not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM, signal.SIGXCPU, 32, 33):
        signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, set(range(1, signal.SIGRTMAX + 1)) - {32, 33})
os.kill(os.getpid(), signal.SIGXCPU)
signal.setitimer(signal.ITIMER_REAL, 0.2)
os.umask(0o777)
limits = {resource.RLIMIT_FSIZE: 1, resource.RLIMIT_CPU: 1}
# The libraries of cbprobe need more to be loaded, and sanitizers more for all that they note.
if not sys.argv[1].endswith("/cbprobe") and "/sanitize/" not in sys.argv[1]:
    limits[resource.RLIMIT_DATA] = 1 << 20
for which, size in limits.items():
    resource.setrlimit(which, (size, resource.getrlimit(which)[1]))
os.execv(sys.argv[1], sys.argv[1:])
END
  chmod +x "$T/odd"
  ulimit -c 0
}

started_oddly() {
  WRAPPER=$T/odd
  node a 4001 1 --mode line
  entrance "$1"
  client_start first --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client_start second --line "sleep 0" --expect line
  until_ok waiting_is 1
  word go
  client_wait first
  client_wait second
  # An inherited timer would have ended the program by now, or it would not notice a relay's end.
  run -0 client -n 12 -c 4 --line "sleep 0" --expect line
  farm_is_at_rest
}

@test "listener: started with signals ignored, blocked and pending, and a timer" { started_oddly listener; }
@test "connection: started with signals ignored, blocked and pending, and a timer" { started_oddly connection; }
@test "inetd: started with signals ignored, blocked and pending, and a timer" { started_oddly inetd; }
@test "alone: started with signals ignored, blocked and pending, and a timer" {
  started_oddly alone
  # SIGTERM ends the program, and it notices that a relay is killed.
  kill -9 "$(pgrep -P "$GATE_PID" -x cbrelay | head -n 1)"
  until_ok grep 'ended by signal 9' "$T/relay.log"
  kill "$GATE_PID"
  until_ok gone "$GATE_PID"
}

@test "cbscore and cbprobe: started with signals ignored, blocked and pending, and a timer" {
  node a 4001 1 --mode line
  run -0 "$T/odd" "$BUILD/cbscore" -c "$CONF" load
  run -0 "$T/odd" "$BUILD/cbprobe" -c "$CONF"
  run -0 "$T/odd" "$BUILD/cbscore" -c "$CONF" list
}
