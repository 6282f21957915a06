#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
# bats file_tags=long
#
# The units under a real systemd as PID 1 (see lib/boot), as `make install` installs them. Nodes and clients run inside;
# the network there is a loopback of its own. One boot serves all tests; each test begins with everything stopped.
#
# Scenarios run in both forms: "listener" is Accept=no, "connection" is Accept=yes by the shipped drop-in.

load lib/helpers
load lib/holders
load lib/booted

setup_file() { boot_farm; }
teardown_file() { end_farm; }
setup() { farm_inside; }

teardown() {
  [[ -z $CANNOT ]] || return 0
  local pid
  if [[ -z $BATS_TEST_COMPLETED ]]; then
    journal_goes_on # a test may have stopped it
    show_inside
  fi
  # shellcheck disable=SC2016 # for the shell inside
  inside sh -c 'systemctl kill -s CONT systemd-journald.service
    for file in /run/test/*.pid; do [ ! -e "$file" ] || kill -KILL $(cat "$file"); done 2>/dev/null
    systemctl stop corebalance.socket corebalance-probe.timer corebalance-probed.service
    systemctl kill -s KILL corebalance.service "corebalance@*.service" "node-*.service"
    systemctl stop corebalance.service "corebalance@*.service" "node-*.service" corebalance-probe.service
    systemctl reset-failed
    rm -rf /run/systemd/system/corebalance*.d
    systemctl disable corebalance.socket corebalance-probe.timer # it also reads all units anew' >/dev/null 2>&1 || true
  [[ -z ${GROUP-} ]] || until_ok leave_memory_group
  end_started
  commands_were_found
}

# ---- the units themselves ----

@test "systemd finds no fault with the units" {
  inside systemd-analyze verify --man=no corebalance.socket corebalance.service corebalance@0.service \
    corebalance-probe.service corebalance-probe.timer corebalance-probed.service corebalance-scoreboard.service corebalance-share.service
  inside mkdir -p /run/systemd/system/corebalance.socket.d
  inside ln -s /usr/share/corebalance/per-connection.conf /run/systemd/system/corebalance.socket.d/
  inside systemd-analyze verify --man=no corebalance.socket
  [ "$(inside systemctl is-system-running)" = running ]
}

@test "every service is hardened: systemd-analyze security says at most 1.5" {
  # It fails if it fails for any of them.
  inside systemd-analyze security --no-pager --threshold=15 corebalance.service corebalance@0.service corebalance-probe.service \
    corebalance-probed.service corebalance-share.service corebalance-scoreboard.service >"$T/security" || { cat "$T/security" && return 1; }
}

@test "sysusers.d makes the users, tmpfiles.d the scoreboard's folder" {
  [ "$(inside id -un corebalance)" = corebalance ]
  [ "$(inside id -gn corebalance)" = corebalance ]
  [ "$(inside id -gn corebalance-probe)" = corebalance ]
  [ "$(inside id -u corebalance-probe)" != "$(inside id -u corebalance)" ]
  [ "$(inside stat -c '%F %a %U:%G' /run/corebalance)" = 'directory 770 corebalance:corebalance' ]
}

# ---- serving ----

serves() {
  node a 4001 2 --mode echo
  use "$1"
  [ "$(inside systemctl is-enabled corebalance.socket)" = enabled ]
  client -n 20 -c 2 --send 50000 --half-close --expect echo
  [ "$(inside stat -c '%a %U:%G' /run/corebalance/scoreboard.tdb)" = '660 corebalance:corebalance' ]
  [ "$(inside stat -c '%a %U:%G' /run/corebalance)" = '770 corebalance:corebalance' ]
  at_rest
}

@test "listener: the socket serves connections, with one service behind it" {
  serves listener
  unit_is corebalance.service active
  [ "$(inside ps -o euser:32= -p "$(main_pid corebalance.service)" | tr -d ' ')" = corebalance ]
  until_ok status_text_is '0 busy, 2 free, 0 waiting'
}

status_text_is() { [ "$(inside systemctl show -P StatusText corebalance.service)" = "$1" ]; }

@test "connection: the socket serves connections, each in a unit of its own" {
  serves connection
  unit_is corebalance.service inactive
  client_start one --line 'sleep 60000' --send 1000
  client_start two --line 'sleep 60000' --send 1000
  until_ok busy_is 2
  instances_are 2
}

@test "connection: systemctl stop on an instance ends that connection and no other" {
  local first second
  node a 4001 2 --mode echo
  use connection
  client_start stays "${ENDLESS[@]}"
  until_ok busy_is 1
  first=$(instances)
  client_start stopped "${ENDLESS[@]}"
  until_ok busy_is 2
  second=$(instances | grep -vxF "$first")
  inside systemctl stop "$second"
  ! client_wait stopped || false
  grep -q 'reset=1' "$T/stopped.out"
  client_hurry stays
  client_wait stays
  [ "$(journal "COREBALANCE_END=KD" | wc -l)" = 1 ]
  at_rest
}

more_clients_than_cores() {
  node a 4001 3 --mode hold:20
  node b 4002 2 --mode hold:20
  use "$1"
  # More than the 200 in two seconds that a socket with Accept=yes takes by default.
  client -n 250 --expect line
  at_rest
  [ "$(score list -nr -o SERVED | awk '{ n += $1 } END { print n }')" = 250 ]
}

@test "listener: 250 clients at once on 5 cores wait, and all are served" { more_clients_than_cores listener; }
@test "connection: 250 clients at once on 5 cores wait, and all are served" { more_clients_than_cores connection; }

waits_while_all_are_down() {
  node a 4001 1 --mode echo
  node_down a
  use "$1"
  client_start early -n 5 --send 1000 --half-close --expect echo
  until_ok waiting_is 5
  node_up a 4001 1 --mode echo
  inside systemctl start corebalance-probe.service
  client_wait early
  at_rest
}

@test "listener: clients wait while all nodes are down, and are served when one returns" { waits_while_all_are_down listener; }
@test "connection: clients wait while all nodes are down, and are served when one returns" { waits_while_all_are_down connection; }

# ---- the journal ----

journal_tells() {
  node a 4001 1 --mode echo
  use "$1"
  client -n 10 -c 1 --send 12345 --half-close --expect echo
  until_ok lines_are 10
  lines >"$T/lines"
  jq -e -s 'all(.COREBALANCE_SLOT == "0" and .COREBALANCE_END == "--" and .PRIORITY == "6"
    and .COREBALANCE_BYTES_IN == "12345" and .COREBALANCE_BYTES_OUT == "12345"
    and (.COREBALANCE_CLIENT | test("^127\\.0\\.0\\.1:[0-9]+$"))
    and (.COREBALANCE_NODE_LOCAL | test("^127\\.0\\.0\\.1:[0-9]+$"))
    and ([.COREBALANCE_WAIT_USEC, .COREBALANCE_CONNECT_USEC, .COREBALANCE_TOTAL_USEC] | all(test("^[0-9]+$")))
    and (.MESSAGE_ID | test("^[0-9a-f]{32}$")))' "$T/lines"
  # journald finds a line's unit by the sender's pid, if the sender has not ended yet: not all lines have a unit.
  jq -e -s --arg unit "$2" 'any(._SYSTEMD_UNIT // "" | startswith($unit))' "$T/lines"
}

lines() { journal COREBALANCE_NODE=127.0.0.1:4001; }
lines_are() { [ "$(lines | wc -l)" = "$1" ]; }

@test "listener: the journal has a connection's fields" { journal_tells listener corebalance.service; }
@test "connection: the journal has a connection's fields" { journal_tells connection corebalance@; }

journal_stops() {
  inside systemctl kill -s STOP systemd-journald.service
  # A socket that cannot send its first message: the queue itself is full, not only what the sender may have under way.
  inside python3 -c '
import socket
sockets, sent = [], 1
while sent:
    sockets.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)); sockets[-1].setblocking(False); sent = 0
    try:
        while True: sockets[-1].sendto(b"MESSAGE=more\nSYSLOG_IDENTIFIER=filler\n", "/run/systemd/journal/socket"); sent += 1
    except BlockingIOError: pass'
}

# The journal's daemon is stopped, its socket is full, and the node does not write to it either.
journal_is_stopped() { # FORM CLIENTS
  inside systemd-run -q --collect --unit=node-a -p StandardOutput=null -p StandardError=null \
    /opt/cbtest/cbtest-node --name a --max 1 --mode line 127.0.0.1:4001
  until_ok is_listening 127.0.0.1:4001
  inside sh -c 'echo "127.0.0.1, 4001, 1, 0" >/etc/corebalance/nodes.conf'
  use "$1"
  client --line "sleep 0" --expect line
  journal_stops
  client -n "$2" -c 4 --line "sleep 0" --expect line
}

journal_goes_on() { inside systemctl kill -s CONT systemd-journald.service; }

# A line that is taken is followed by the number of those before it that were not.
lost_lines_are_told() { # AT LEAST
  client --line "sleep 0" --expect line
  journal -t cbrelay | jq -r '.MESSAGE | strings' | sed -nE 's/^([0-9]+) lines before this one were lost.*/\1/p' |
    awk -v least="$1" '{ n += $1 } END { exit !(n >= least) }'
}

@test "listener: a journal that is stopped holds up no connection and changes no order, and what it missed is counted" {
  journal_is_stopped listener 300
  inside /opt/cbtest/in-order 127.0.0.1 3632 1 12
  journal_goes_on
  until_ok lost_lines_are_told 312
  at_rest
}

@test "connection: a journal that is stopped holds up no connection" {
  journal_is_stopped connection 30
  journal_goes_on
  at_rest
}

# libsystemd keeps a socket to the journal under a number that a relay's own descriptors could have later.
@test "a journal that is stopped holds up neither the prober nor an administrator, and what it missed is told" {
  local i
  node a 4001 1 --mode echo
  node b 4002 1 --mode echo
  # The nodes write nothing that would wait for the journal.
  for i in a b; do inside systemctl stop "node-$i"; done
  UNIT_OPTIONS=(-p StandardOutput=null -p StandardError=null)
  node_up a 4001 1 --mode echo
  node_up b 4002 1 --mode echo
  use listener
  client --send 10 --half-close --expect echo
  setting corebalance-probed.service '[Service]' ExecStart= 'ExecStart=/usr/sbin/cbprobe --interval 100ms --notify true'
  inside systemctl start corebalance-probed.service
  until_ok state_is 4002 up
  journal_stops
  # The stream of the prober's standard error is full, too, from the prober's own messages.
  inside sh -c 'exec timeout 300 cbscore down 127.0.0.1:4001 --reason mine' 2>"$T/down"
  grep 'the journal takes nothing now, and has no line of this change' "$T/down"
  inside timeout 300 cbscore up 127.0.0.1:4001
  inside sh -c 'kill -KILL $(systemctl show -P MainPID node-b)'
  until_ok state_is 4002 down
  node_up b 4002 1 --mode echo
  until_ok state_is 4002 up
  unit_is corebalance-probed.service active
  journal_goes_on
  # Each change of a node is a line with fields; the next is followed by the number of those that were lost.
  goes_on() {
    inside sh -c 'kill -KILL $(systemctl show -P MainPID node-b)'
    until_ok state_is 4002 down
    node_up b 4002 1 --mode echo
    until_ok state_is 4002 up
    [ -n "$(journal -t cbprobe --grep='lines before this one were lost')" ]
  }
  PATIENCE=300 until_ok goes_on
}

@test "stand-alone, what the listener says first costs no relay its own words, and goes into no connection" {
  node a 4001 4 --mode echo
  inside systemd-run -q --collect --unit=node-gate cbrelay --connections-per-relay 3 "$GATE" 127.0.0.1:4001/4
  until_ok is_listening "$GATE"
  client -n 50 -c 4 --send 300000 --half-close --expect echo
  until_ok lines_are 50
  [ -z "$(journal --grep=VIOLATION)" ]
}

# acts: VERB NODE OLD NEW LOGIN UID of each act of an administrator since the test began.
acts() {
  journal -t cbscore | jq -r '[.COREBALANCE_VERB, .COREBALANCE_NODE, .COREBALANCE_OLD, .COREBALANCE_NEW, .COREBALANCE_LOGIN,
    .COREBALANCE_UID, .COREBALANCE_FARM] | join("|")'
}

@test "each act of an administrator is a line in the journal: what, the old and the new value, and the user" {
  node a 4001 2 --mode echo
  use listener
  inside cbscore load
  inside cbscore down 127.0.0.1:4001 --reason 'a new disk'
  inside cbscore down 127.0.0.1:4001
  inside env SUDO_UID="$(inside id -u daemon)" cbscore up 127.0.0.1:4001
  inside cbscore set 127.0.0.1:4001 cores=3 speed=2
  inside setpriv --reuid=corebalance --regid=corebalance --init-groups cbscore pause
  inside cbscore resume
  inside cbscore add '127.0.0.1, 4009, 1, 0'
  inside cbscore remove 127.0.0.1:4009
  client_start held "${ENDLESS[@]}"
  until_ok busy_is 1
  client=$(score slots -nr -o CLIENT)
  inside cbscore kill 127.0.0.1:4001/"$(score slots -nr -o SLOT)"
  ! client_wait held || false
  inside cbscore list
  uid=$(inside id -u corebalance)
  acts >"$T/acts"
  diff "$T/acts" - <<EOF
load|||1 added, 0 changed, 0 draining, 0 removed|root|0|corebalance
down|127.0.0.1:4001|up|held: a new disk|root|0|corebalance
up|127.0.0.1:4001|held: a new disk|up|daemon|1|corebalance
set|127.0.0.1:4001|cores=2, speed=|cores=3, speed=2|root|0|corebalance
pause||running|paused|corebalance|$uid|corebalance
resume||paused|running|root|0|corebalance
add|127.0.0.1:4009||127.0.0.1, 4009, 1, 0|root|0|corebalance
remove|127.0.0.1:4009|127.0.0.1, 4009, 1, 0||root|0|corebalance
kill|127.0.0.1:4001/0|$client|ended|root|0|corebalance
EOF
  [ "$(journal COREBALANCE_VERB=down | jq -r .MESSAGE)" = 'down: 127.0.0.1:4001: up -> held: a new disk, by root (uid 0)' ]
}

# What a reboot leaves: /run is empty.
as_after_reboot() {
  inside systemctl stop corebalance.socket corebalance.service
  inside sh -c 'rm -f /run/corebalance/*'
  inside systemctl start corebalance.socket
  client --send 10 --half-close --expect echo
}

held() { score list -nr -o NODE,STATE,REASON | sed -n 's/^\([^ ]*\) held /\1 /p'; }

@test "the line for sudo in cbscore(1), as it is printed, gives status and list to every user, and nothing else" {
  node a 4001 2 --mode line
  use listener
  inside cbscore load
  # visudo says whether sudo would take the line.
  sed -n '/^\.Sh RIGHTS/,/^\.Sh ENVIRONMENT/{/^ALL /p}' "$BATS_TEST_DIRNAME/../man/cbscore.1" >"$T/line"
  [ "$(wc -l <"$T/line")" = 1 ]
  inside bash -ec 'install -m 440 <(echo "$1") /etc/sudoers.d/corebalance && visudo -c -f /etc/sudoers.d/corebalance' sh "$(<"$T/line")"
  # stranger COMMAND...: runs it as a user of no group of ours.
  stranger() { inside setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
  run -1 stranger cbscore status
  [[ $output == *"Permission denied; become root, or a member of the group corebalance" ]]
  run -0 stranger sudo -n -u corebalance cbscore status
  [[ $output == *": 0 of 2 cores busy, 0 waiting, 1 of 1 node up"* ]]
  run -0 stranger sudo -n -u corebalance cbscore list
  [[ $output == *"127.0.0.1:4001 "* ]]
  for words in "down 127.0.0.1:4001" slots queue "list -o addresses" pause "-s /run/corebalance/scoreboard.tdb list"; do
    # shellcheck disable=SC2086 # a verb and its arguments
    run -1 stranger sudo -n -u corebalance cbscore $words
    [[ $output == *"password is required"* ]]
  done
  run -1 stranger sudo -n cbscore status
  state_is 4001 up
  inside rm /etc/sudoers.d/corebalance
}

@test "holds and their reasons outlive a reboot, whichever program set them; a node that was put back is not held again" {
  node a 4001 1 --mode echo
  node b 4002 1 --mode echo
  node c 4003 1 --mode echo
  use listener
  client --send 10 --half-close --expect echo
  inside cbscore down 127.0.0.1:4001 --reason 'a new disk'
  inside cbscore down 127.0.0.1:4002
  inside setpriv --reuid=daemon --regid=daemon --groups="$(inside id -g corebalance)" cbscore down 127.0.0.1:4002 --reason moved
  held >"$T/held"
  [ "$(wc -l <"$T/held")" = 2 ]
  grep 'new.*disk' "$T/held"
  as_after_reboot
  held | diff "$T/held" -
  inside cbscore up 127.0.0.1:4001
  as_after_reboot
  [ "$(held | cut -d' ' -f1)" = 127.0.0.1:4002 ]
  # The first process after a boot is as well the prober or an administrator.
  inside systemctl stop corebalance.socket corebalance.service
  inside sh -c 'rm -f /run/corebalance/* && systemctl start corebalance-probe.service'
  [ "$(held | cut -d' ' -f1)" = 127.0.0.1:4002 ]
  inside sh -c 'rm -f /run/corebalance/* && cbscore load'
  [ "$(held | cut -d' ' -f1)" = 127.0.0.1:4002 ]
}

@test "sysusers.d and tmpfiles.d make the folder of the holds" {
  [ "$(inside stat -c '%F %a %U:%G' /var/lib/corebalance)" = 'directory 2770 corebalance:corebalance' ]
}

# ---- the prober ----

@test "a pass of the prober takes a dead node down and a living node up" {
  node a 4001 1 --mode echo
  node b 4002 1 --mode echo
  use listener
  inside systemctl start corebalance-probe.service
  state_is 4001 up
  state_is 4002 up
  node_down b
  inside systemctl start corebalance-probe.service
  state_is 4001 up
  state_is 4002 down
  node_up b 4002 1 --mode echo
  inside systemctl start corebalance-probe.service
  state_is 4002 up
  # One event for each change of state, and no other: not even beginnings and ends of passes.
  # journald does not know the unit of a sender that has ended, so some may have none.
  [ "$(journal -u corebalance-probe.service | wc -l)" -le 2 ] || { journal -u corebalance-probe.service; return 1; }
  [ "$(journal -t cbprobe COREBALANCE_NODE=127.0.0.1:4002 | wc -l)" = 2 ]
  [ -z "$(journal -t cbprobe COREBALANCE_NODE=127.0.0.1:4001)" ]
}

@test "the prober that stays: ready after its first pass, reloads, tells of changes, and the catalog explains them" {
  node a 4001 1 --mode echo
  node b 4002 1 --mode echo
  inside rm -f /run/corebalance/scoreboard.tdb
  setting corebalance-probed.service '[Service]' ExecStart= \
    'ExecStart=/usr/sbin/cbprobe --interval 100ms --file /etc/corebalance/nodes.conf --notify "systemd-cat -t hook echo told"'
  inside systemctl start corebalance-probed.service
  state_is 4001 up
  [[ $(inside systemctl show -P StatusText corebalance-probed.service) == '2 of 2 nodes up' ]]
  [ "$(inside systemctl show -P Type corebalance-probed.service)" = notify ]
  node_down b
  until_ok state_is 4002 down
  told() { [ "$(journal -t hook | wc -l)" = 1 ]; }
  until_ok told
  inside sh -c 'echo "127.0.0.1, 4001, 1, 0" >/etc/corebalance/nodes.conf'
  inside systemctl reload corebalance-probed.service
  lost() { [ -z "$(state_of 4002)" ]; }
  until_ok lost
  entry=$(journal -u corebalance-probed.service COREBALANCE_NODE=127.0.0.1:4002)
  [ "$(jq -r '[.COREBALANCE_OLD_STATE, .COREBALANCE_NEW_STATE, .COREBALANCE_REASON] | join(" ")' <<<"$entry")" = \
    'up down connection refused' ]
  [ "$(jq -r .COREBALANCE_LASTED_USEC <<<"$entry")" -gt 0 ]
  inside journalctl --update-catalog
  # Every kind of entry of the programs has its explanation in the catalog.
  for id in $(grep -rhoE '"(MESSAGE_ID=)?[0-9a-f]{32}"' "$BATS_TEST_DIRNAME/../relay" "$BATS_TEST_DIRNAME/../scoreboard" |
    grep -oE '[0-9a-f]{32}'); do
    inside journalctl --dump-catalog "$id" | grep -q 'Defined-By: corebalance'
  done
  inside journalctl -q -x --no-pager --cursor="$CURSOR" COREBALANCE_NODE=127.0.0.1:4002 |
    grep -q 'Subject: Node 127.0.0.1:4002 went from up to down'
  inside systemctl stop corebalance-probed.service
  [ "$(inside systemctl show -P Result corebalance-probed.service)" = success ]
}

@test "what a relay finds out of a node is told with the states before and after" {
  node b 4002 1 --mode echo
  use listener
  inside cbscore load
  node_down b
  client_start asker --send 10 --half-close --expect echo
  until_ok state_is 4002 down
  entry() { entry=$(journal MESSAGE_ID=0e4b9c3f7a6d4f5a8b1c2d3e4f506172) && [ -n "$entry" ]; }
  until_ok entry
  entry
  [ "$(jq -r '[.COREBALANCE_NODE, .COREBALANCE_OLD_STATE, .COREBALANCE_NEW_STATE, .COREBALANCE_REASON] | join(" ")' <<<"$entry")" = \
    '127.0.0.1:4002 up down connection refused' ]
  [ "$(jq -r .COREBALANCE_LASTED_USEC <<<"$entry")" -gt 0 ]
  node_up b 4002 1 --mode echo
  inside cbprobe
  client_wait asker
}

@test "the timer runs the prober: a dead node goes down, and up again, by itself" {
  node a 4001 1 --mode echo
  node b 4002 1 --mode echo
  use listener
  client -n 1 --send 10 --half-close --expect echo
  [ "$(inside systemctl show -P TimersMonotonic corebalance-probe.timer | grep -c 'OnUnitActiveUSec=30s')" = 1 ]
  setting corebalance-probe.timer '[Timer]' OnUnitActiveSec=1s RandomizedDelaySec=0
  inside systemctl -q enable --now corebalance-probe.timer
  unit_is corebalance-probe.timer active
  until_ok pass_after 0
  until_ok pass_after "$(last_pass)"
  node_down b
  until_ok state_is 4002 down
  node_up b 4002 1 --mode echo
  until_ok state_is 4002 up
  unit_is corebalance-probe.timer active
  state_is 4001 up
}

# What a command of check=exec: tries against a relay, its listener, and what is theirs. It says what succeeded.
intruder() {
  inside install -m 755 /dev/stdin /opt/cbtest/intruder <<'END'
#!/usr/bin/python3
import ctypes, os, signal
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
def relays():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{pid}/comm").read() == "cbrelay\n":
                yield int(pid)
        except OSError:
            pass
def remote_read(pid):
    there = (ctypes.c_ulong * 2)(0x400000, 8)
    here = (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8)
    call(310, pid, here, 1, there, 1, 0)
trials = {}
for pid in relays():
    trials.update({
        f"{pid}: SIGTERM": lambda pid=pid: os.kill(pid, signal.SIGTERM),
        f"{pid}: SIGSTOP": lambda pid=pid: os.kill(pid, signal.SIGSTOP),
        f"{pid}: memory to read": lambda pid=pid: open(f"/proc/{pid}/mem", "rb"),
        f"{pid}: memory to write": lambda pid=pid: open(f"/proc/{pid}/mem", "r+b"),
        f"{pid}: process_vm_readv": lambda pid=pid: remote_read(pid),
        f"{pid}: ptrace": lambda pid=pid: call(101, 16, pid, 0, 0),
        f"{pid}: descriptors": lambda pid=pid: os.listdir(f"/proc/{pid}/fd"),
        f"{pid}: pidfd_getfd": lambda pid=pid: call(438, os.pidfd_open(pid), 0, 0),
        f"{pid}: environment": lambda pid=pid: open(f"/proc/{pid}/environ").read(),
        f"{pid}: root folder": lambda pid=pid: os.listdir(f"/proc/{pid}/root"),
    })
number = len(trials)
trials.update({
    "read a file of the owner": lambda: open("/run/corebalance/private"),
    "write a file of the owner": lambda: open("/run/corebalance/private", "w"),
    "change the scoreboard's mode": lambda: os.chmod("/run/corebalance/scoreboard.tdb", 0o666),
    "change the folder's mode": lambda: os.chmod("/run/corebalance", 0o777),
    "write the kept holds": lambda: open("/var/lib/corebalance/holds", "w"),
    "write the node list": lambda: open("/etc/corebalance/nodes.conf", "a"),
    "become the relays' user": lambda: os.setuid(os.stat("/run/corebalance").st_uid),
})
with open("/run/corebalance/tried", "w") as result:
    for name, attempt in trials.items():
        try:
            attempt()
            print("done:", name, file=result)
        except OSError:
            pass
    print("relays:", number // 10, "user:", os.getuid(), file=result)
END
}

@test "a command of check=exec: under the units cannot signal or look into relays, or write what is their user's alone" {
  local pid
  node a 4001 1 --mode echo
  use listener
  client_start stays "${ENDLESS[@]}"
  until_ok busy_is 1
  pid=$(GATE_PID=$(main_pid corebalance.service) holders)
  intruder
  inside sh -c 'echo secret >/run/corebalance/private && chown corebalance: /run/corebalance/private &&
    chmod 600 /run/corebalance/private
    echo "127.0.0.1, 4001, 1, 0, check=exec:/opt/cbtest/intruder" >/etc/corebalance/nodes.conf && cbscore load'
  inside systemctl start corebalance-probe.service
  [ "$(inside cat /run/corebalance/tried | grep -v '^relays:')" = '' ] || { inside cat /run/corebalance/tried; return 1; }
  [[ $(inside cat /run/corebalance/tried) =~ ^relays:\ [2-9][0-9]*\ user:\ $(inside id -u corebalance-probe)$ ]]
  inside rm /run/corebalance/tried
  # The prober that stays, and root's prober, are no other.
  inside systemctl start corebalance-probed.service
  [[ $(inside cat /run/corebalance/tried) == "relays:"*" user: $(inside id -u corebalance-probe)" ]]
  inside systemctl stop corebalance-probed.service
  inside rm /run/corebalance/tried
  inside cbprobe -v
  [[ $(inside grep user: /run/corebalance/tried) == *" user: $(inside id -u corebalance-probe)" ]]
  [ "$(score slots -nr -o PID)" = "$pid" ]
  client_hurry stays
  client_wait stays
  at_rest
}

# When the last pass ended, and whether there was a pass after that.
last_pass() { inside systemctl show -P ExecMainExitTimestampMonotonic corebalance-probe.service; }
pass_after() { (($(last_pass) > $1)); }

# ---- nothing to lose ----

@test "listener: a restart takes a moment and loses no connection, place or newcomer" {
  local before
  node a 4001 3 --mode echo
  use listener
  client_start transfer -n 2 "${ENDLESS[@]}"
  client_start third "${ENDLESS[@]}"
  until_ok busy_is 3
  client_start waiter -n 3 --send 1000 --half-close --expect echo
  until_ok waiting_is 3
  score queue -nr -o TICKET >"$T/tickets"
  before=$(main_pid corebalance.service)
  inside systemctl restart corebalance.service
  [ "$(main_pid corebalance.service)" != "$before" ]
  unit_is corebalance.service active
  busy_is 3
  until_ok waiting_is 3
  score queue -nr -o TICKET | diff "$T/tickets" -
  # One core is free again: waiters come first, and newcomers are served beside the long connections.
  client_hurry third
  client_wait third
  client_wait waiter
  client -n 20 --send 1000 --half-close --expect echo
  until_ok busy_is 2
  client_hurry transfer
  client_wait transfer
  at_rest
}

@test "listener: a client that has sent its job to a unix socket and closed it keeps its place at a restart" {
  local before
  node a 4001 1 --mode line --eof-ends
  setting corebalance.socket '[Socket]' ListenStream=/run/test/gate.sock
  use listener
  client_start holder --line "until /run/test/go" --expect line
  until_ok busy_is 1
  inside python3 -c "
import socket
s = socket.socket(socket.AF_UNIX)
s.connect('/run/test/gate.sock')
s.sendall(b'count\n')
s.close()"
  until_ok waiting_is 1
  before=$(main_pid corebalance.service)
  inside systemctl restart corebalance.service
  [ "$(main_pid corebalance.service)" != "$before" ]
  until_ok waiting_is 1
  inside touch /run/test/go
  client_wait holder
  until_ok eval 'journal COREBALANCE_BYTES_IN=6 | grep -q .'
  at_rest
}

@test "listener: a listener that is stopped is replaced, and its relays go on" {
  local before
  node a 4001 2 --mode echo
  inside sh -c 'mkdir -p /run/systemd/system/corebalance.service.d && printf "[Service]\nWatchdogSec=2\n" \
    >/run/systemd/system/corebalance.service.d/watchdog.conf && systemctl daemon-reload'
  use listener
  client_start transfer "${ENDLESS[@]}"
  until_ok busy_is 1
  before=$(main_pid corebalance.service)
  inside kill -STOP "$before"
  restarted() { [ "$(main_pid corebalance.service)" != "$before" ] && unit_is corebalance.service active; }
  until_ok restarted
  client --send 1000 --half-close --expect echo
  until_ok busy_is 1
  client_hurry transfer
  client_wait transfer
  inside sh -c 'rm -r /run/systemd/system/corebalance.service.d && systemctl daemon-reload'
  at_rest
}

@test "listener: the scoreboard's folder is removed: a connection is served to its end, and then the next listener makes the folder" {
  local before
  node a 4001 2 --mode line
  use listener
  client_start first --line "sleep 4000" --expect line
  until_ok busy_is 1
  before=$(main_pid corebalance.service)
  inside rm -r /run/corebalance
  until_ok eval 'journal -u corebalance.service | grep -q "the folder of the scoreboard was removed"'
  # This client waits in the backlog: the next scoreboard would not know of the first connection.
  client --line "sleep 0" --expect line
  client_wait first
  [ "$(main_pid corebalance.service)" != "$before" ]
  [ "$(score list -nr -o SERVED)" = 1 ]
  at_rest
}

@test "connection: connections outlive a restart of the socket" {
  node a 4001 2 --mode echo
  use connection
  client_start transfer "${ENDLESS[@]}"
  until_ok busy_is 1
  inside systemctl restart corebalance.socket
  client --send 1000 --half-close --expect echo
  until_ok busy_is 1
  client_hurry transfer
  client_wait transfer
  at_rest
}

count_instances() { instances | grep -c .; }
at_least() { (($("$1") >= $2)); }

@test "from one form to the other and back, as per-connection.conf says: connections go on, waiters keep their places" {
  # How long a handshake may take; so long the listener stays.
  inside sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_synack_retries'
  node a 4001 2 --mode line
  use listener
  client_start stays -n 2 -c 2 --line "until /run/test/go" --expect line
  until_ok busy_is 2
  client_start waiter -n 3 --line count --expect line
  until_ok waiting_is 3
  score queue -nr -o TICKET >"$T/tickets"
  inside ln -s /usr/share/corebalance/per-connection.conf /run/systemd/system/corebalance.socket.d/
  inside systemctl daemon-reload
  client_start crowd -n 30 -c 30 --line count --expect line
  inside systemctl restart corebalance.socket
  until_ok unit_is corebalance.service active
  client_start newcomer --line count --expect line
  until_ok at_least count_instances 1
  until_ok at_least waiting 34
  score queue -nr -o TICKET | head -n 3 | diff "$T/tickets" -
  busy_is 2
  inside touch /run/test/go
  for name in stays waiter crowd newcomer; do client_wait "$name"; done
  # The listener ends when no more client can come to its old socket, and is not started again.
  until_ok unit_is corebalance.service inactive
  inside rm /run/systemd/system/corebalance.socket.d/per-connection.conf
  inside systemctl daemon-reload
  inside systemctl restart corebalance.socket
  client --line count --expect line
  unit_is corebalance.service active
  [ -z "$(journal --grep='listens there, too')" ]
  at_rest
}

@test "a reload takes the node list anew, and connections go on" {
  node a 4001 1 --mode echo
  use listener
  client_start transfer "${ENDLESS[@]}"
  until_ok busy_is 1
  node b 4002 1 --mode echo
  inside systemctl reload corebalance.service
  until_ok state_is 4002 up
  client --send 1000 --half-close --expect echo
  until_ok busy_is 1
  client_hurry transfer
  client_wait transfer
  unit_is corebalance.service active
  # What is held in the new list is held after a reboot, too.
  inside sh -c 'sed "s/4002, 1, 0/4002, 1, 0x40000000/" -i /etc/corebalance/nodes.conf'
  inside systemctl reload corebalance.service
  inside grep 127.0.0.1:4002 /var/lib/corebalance/scoreboard.holds
  [ -z "$(journal -u corebalance.service --grep='Read-only')" ]
  at_rest
}

@test "a reload with a wrong list fails, says why under the name of the unit, and changes nothing" {
  node a 4001 1 --mode echo
  use listener
  client --send 1000 --half-close --expect echo
  inside sh -c 'echo broken >/etc/corebalance/nodes.conf'
  run ! inside systemctl reload corebalance.service
  told() { journal -u corebalance.service | jq -r .MESSAGE | grep "$1"; }
  until_ok told 'nodes.conf:1: port: missing: expected host, port, cores, flags'
  state_is 4001 up
  unit_is corebalance.service active
}

@test "the prober can be started as often as one likes" {
  node a 4001 1 --mode echo
  for _ in 1 2 3 4 5 6 7 8; do inside systemctl start corebalance-probe.service; done
  run ! unit_is corebalance-probe.service failed
}

make_scoreboard_foreign() {
  # The format number stands behind the magic.
  inside python3 -c '
data = bytearray(open("/run/corebalance/scoreboard.tdb", "rb").read())
data[data.index(b"versioncorebalance") + len("version") + 16] = 1
open("/run/corebalance/scoreboard.tdb", "r+b").write(data)'
}

@test "a pass that meets the scoreboard of another version leaves no failed unit" {
  node a 4001 1 --mode echo
  inside cbscore load
  make_scoreboard_foreign
  inside systemctl start corebalance-probe.service
  unit_is corebalance-probe.service inactive
  [ "$(journal -t cbprobe --grep='another version of corebalance' | wc -l)" = 1 ]
  inside rm /run/corebalance/scoreboard.tdb
}

@test "listener: with a scoreboard of another version clients wait in the backlog, and the lines of the manual serve them" {
  node a 4001 2 --mode echo
  use listener
  client_start ended "${ENDLESS[@]}"
  until_ok busy_is 1
  make_scoreboard_foreign
  inside systemctl restart corebalance.service || true
  client_start patient --send 1000 --half-close --expect echo
  is_pending() { [ "$(inside ss -Hltn 'sport = :3632' | awk '{ n += $2 } END { print n }')" = 1 ]; }
  until_ok is_pending
  mandoc -T ascii -O width=300 "$BATS_TEST_DIRNAME/../man/corebalance.7" | col -bx |
    sed -n '/^UPGRADES/,/^[A-Z]/s/^           //p' >"$T/lines"
  [ "$(wc -l <"$T/lines")" = 2 ]
  inside bash -s <"$T/lines"
  client_wait patient
  ! client_wait ended || false
  at_rest
}

@test "a named farm has units of its own: its list, its scoreboard, its entrance, its prober, its page" {
  node a 4001 2 --mode echo
  inside sh -c 'cp /etc/corebalance/nodes.conf /etc/corebalance/ci.conf && echo "127.0.0.1, 4009, 9, 0" >/etc/corebalance/nodes.conf
    mkdir -p /run/systemd/system/corebalance-farm@ci.socket.d
    printf "[Socket]\nListenStream=3639\n" >/run/systemd/system/corebalance-farm@ci.socket.d/port.conf
    systemctl daemon-reload'
  inside systemctl start corebalance-farm@ci.socket corebalance-farm-probe@ci.timer corebalance-farm-status@ci.socket
  inside /opt/cbtest/cbtest-client --send 1000 --half-close --expect echo 127.0.0.1:3639
  inside /opt/cbtest/cbtest-client --send 1000 --half-close --expect echo unix:/run/corebalance/ci.sock
  [ "$(inside cbscore -f ci list -nr -o CORES)" = 2 ]
  inside test ! -e /run/corebalance/scoreboard.tdb
  inside systemctl start corebalance-farm-probe@ci.service
  inside curl -sS --unix-socket /run/corebalance/ci-status.sock http://ci/metrics | grep '^corebalance_build_info{farm="ci"'
  inside systemctl reload corebalance-farm@ci.service
  [ -z "$(journal -p warning -u 'corebalance-farm*')" ]
  inside systemctl stop corebalance-farm@ci.socket corebalance-farm@ci.service corebalance-farm-probe@ci.timer \
    corebalance-farm-status@ci.socket corebalance-farm-status@ci.service
  inside sh -c 'rm -r /run/systemd/system/corebalance-farm@ci.socket.d && systemctl daemon-reload'
  [ -z "$(inside systemctl list-units -q --state=failed 'corebalance*')" ]
}

# The list is replaced in one step: a reader never finds it half written.
mend_list() { inside sh -c 'cp /run/test/nodes.conf /etc/corebalance/new && mv /etc/corebalance/new /etc/corebalance/nodes.conf'; }

# list_comes_right FORM: a client waits, is served once the list is right and loaded, and the service never failed.
list_comes_right() {
  use "$1"
  client_start patient --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  mend_list
}

@test "listener: with a wrong node list the service runs, says why no node is there, and a reload mends it" {
  node a 4001 1 --mode echo
  inside sh -c 'printf "127.0.0.1, 4001, 0, 0\n127.0.0.1, 4002, x, 0\n" >/etc/corebalance/nodes.conf'
  list_comes_right listener
  unit_is corebalance.service active
  until_ok status_text_is \
    '0 busy, 0 free, 1 waiting; no nodes: /etc/corebalance/nodes.conf:1: cores: "0": expected 1 to 65535; and 1 more'
  inside systemctl reload corebalance.service
  client_wait patient
  until_ok status_text_is '0 busy, 1 free, 0 waiting'
  [ "$(inside systemctl show -P NRestarts corebalance.service)" = 0 ]
  [ "$(journal -u corebalance.service --grep='cores: "0": expected' | wc -l)" = 1 ]
  at_rest
}

@test "listener: without a node list the service runs, and takes the list at a restart" {
  node a 4001 1 --mode echo
  inside rm /etc/corebalance/nodes.conf
  list_comes_right listener
  until_ok status_text_is '0 busy, 0 free, 1 waiting; no nodes: /etc/corebalance/nodes.conf: No such file or directory'
  inside systemctl restart corebalance.service
  client_wait patient
  at_rest
}

@test "connection: with a wrong node list clients wait, and cbscore load mends it" {
  node a 4001 1 --mode echo
  inside sh -c 'echo "127.0.0.1, 4001, 0, 0" >/etc/corebalance/nodes.conf'
  list_comes_right connection
  inside cbscore load
  client_wait patient
  at_rest
}

@test "the service enabled by itself enables its socket, and starts it" {
  node a 4001 1 --mode echo
  inside systemctl -q enable corebalance.service
  [ "$(inside systemctl is-enabled corebalance.socket)" = enabled ]
  inside systemctl start corebalance.service
  client --send 1000 --half-close --expect echo
  at_rest
}

@test "listener: a restart of the socket, with another port, loses no connection and no place" {
  node a 4001 2 --mode echo
  use listener
  client_start transfer "${ENDLESS[@]}"
  client_start second "${ENDLESS[@]}"
  until_ok busy_is 2
  client_start waiter -n 3 --send 1000 --half-close --expect echo
  until_ok waiting_is 3
  score queue -nr -o TICKET >"$T/tickets"
  inside systemctl restart corebalance.socket
  unit_is corebalance.socket active
  until_ok waiting_is 3
  score queue -nr -o TICKET | diff "$T/tickets" -
  setting corebalance.socket '[Socket]' ListenStream= ListenStream=127.0.0.1:3640
  inside systemctl restart corebalance.socket
  until_ok is_listening 127.0.0.1:3640
  # Relays close the earlier socket when they notice that their listener has ended.
  until_ok eval '! is_listening "$GATE"'
  until_ok waiting_is 3
  score queue -nr -o TICKET | diff "$T/tickets" -
  busy_is 2
  client_hurry second
  client_wait second
  client_wait waiter
  GATE=127.0.0.1:3640
  client --send 1000 --half-close --expect echo
  client_hurry transfer
  client_wait transfer
  at_rest
}

# knocks: connects one client after the other until the file exists; prints what became of them other than being served.
knocks() { # FILE
  inside python3 - "$1" <<'END'
import os, socket, sys
while not os.path.exists(sys.argv[1]):
    try:
        with socket.create_connection(("127.0.0.1", 3632), timeout=300) as client:
            client.sendall(b"knock")
            client.shutdown(socket.SHUT_WR)
            said = b""
            while chunk := client.recv(100):
                said += chunk
            if said != b"knock":
                print("heard", said)
    except OSError as error:
        print(error)
END
}

@test "listener: the socket can be restarted as often as one likes, and no client is refused or reset" {
  local i before
  node a 4001 8 --mode echo
  use listener
  client --send 10 --half-close --expect echo
  for i in 1 2 3; do
    background "$T/knocks.$i" knocks /run/test/enough
  done
  for i in 1 2 3 4 5 6 7 8 9 10; do
    before=$(score list -nr -o SERVED)
    inside systemctl restart corebalance.socket
    more_served() { [ "$(score list -nr -o SERVED)" -ge $((before + 5)) ]; }
    until_ok more_served
  done
  inside touch /run/test/enough
  wait "${PIDS[@]}"
  cat "$T"/knocks.*
  [ -z "$(cat "$T"/knocks.*)" ]
  [ -z "$(journal --grep='listens there, too')" ]
  at_rest
}

@test "no unit has a limit of starts" {
  # Each instance for a connection is started once.
  inside sh -ec 'cd /usr/lib/systemd/system
    ls -d corebalance*.socket corebalance*.timer corebalance*.service | grep -vx -e corebalance@.service -e corebalance-agent@.service |
    sed s/@[.]/@one./ >/run/test/units
    test -s /run/test/units
    systemctl show -p Id,StartLimitIntervalUSec $(cat /run/test/units)' >"$T/limits"
  [ "$(grep -c ^Id= "$T/limits")" = "$(inside cat /run/test/units | wc -l)" ]
  [ "$(grep -c -x StartLimitIntervalUSec=0 "$T/limits")" = "$(inside cat /run/test/units | wc -l)" ] || { cat "$T/limits"; return 1; }
}

@test "listener: a second farm at the same port is told in the journal" {
  node a 4001 1 --mode echo
  use listener
  inside systemctl start corebalance.service
  inside cp /etc/corebalance/nodes.conf /etc/corebalance/second.conf
  setting corebalance-farm@second.socket '[Socket]' ListenStream=3632
  inside systemctl start corebalance-farm@second.socket corebalance-farm@second.service
  told() { [ -n "$(journal -u corebalance-farm@second.service --grep=':3632: another program or farm listens there, too')" ]; }
  until_ok told
  inside systemctl stop corebalance-farm@second.socket corebalance-farm@second.service
  inside rm /etc/corebalance/second.conf
}

@test "relays reach the nodes and no other address, and clients are not kept out" {
  local name
  for name in 2 3; do
    inside systemd-run -q --collect --unit="node-$name" /opt/cbtest/cbtest-node --name "n$name" --max 1 "127.0.0.$name:4001"
  done
  until_ok is_listening 127.0.0.3:4001
  inside sh -c 'echo "127.0.0.2, 4001, 1, 0" >/etc/corebalance/nodes.conf && cbscore load'
  inside systemctl start corebalance-allow.service
  use listener
  client --send 1000 --half-close --expect echo
  [ "$(inside cat /run/systemd/system/corebalance.service.d/allow.conf)" = \
    "$(printf '[Service]\nIPAddressDeny=any\nIPAddressAllow=\nIPAddressAllow=127.0.0.2')" ]
  # A node that is not allowed yet cannot be reached; it is allowed when the unit has run again.
  inside sh -c 'echo "127.0.0.3, 4001, 1, 0" >/etc/corebalance/nodes.conf && cbscore load'
  client_start patient --send 1000 --half-close --expect echo
  is_down() { score list -nr -o NODE,STATE | grep -E '^127.0.0.3:4001 (down|retry)'; }
  until_ok is_down
  inside systemctl start corebalance-allow.service corebalance-probe.service
  client_wait patient
  inside sh -c 'rm -f /run/corebalance/allow.conf'
  at_rest
}

@test "relays of a named farm reach its nodes and no other address" {
  node a 4001 1 --mode echo
  inside sh -c 'mv /etc/corebalance/nodes.conf /etc/corebalance/a-b.conf
    systemctl start corebalance-farm@a-b.socket corebalance-farm@a-b.service corebalance-farm-allow@a-b.service'
  [ "$(inside cat /run/systemd/system/corebalance-farm@a-b.service.d/allow.conf)" = \
    "$(printf '[Service]\nIPAddressDeny=any\nIPAddressAllow=\nIPAddressAllow=127.0.0.1')" ]
  inside test ! -e /run/systemd/system/corebalance.service.d/allow.conf
  inside /opt/cbtest/cbtest-client --send 1000 --half-close --expect echo unix:/run/corebalance/a-b.sock
  # Where a node is that is not allowed, a relay cannot connect.
  inside systemd-run -q --collect --unit=node-other /opt/cbtest/cbtest-node --name o --max 1 127.0.0.2:4002
  until_ok is_listening 127.0.0.2:4002
  inside sh -c 'echo "127.0.0.2, 4002, 1, 0" >/etc/corebalance/a-b.conf && cbscore -f a-b load'
  background "$T/patient" enter_boot "$BOOT" \
    /opt/cbtest/cbtest-client --send 1000 --half-close --expect echo unix:/run/corebalance/a-b.sock
  is_down() { score -f a-b list -nr -o NODE,STATE | grep -E '^127.0.0.2:4002 (down|retry)'; }
  until_ok is_down
  inside systemctl start corebalance-farm-allow@a-b.service corebalance-farm-probe@a-b.service
  wait "$PID"
  inside sh -c 'systemctl stop corebalance-farm@a-b.socket corebalance-farm@a-b.service
    rm -r /etc/corebalance/a-b.conf /run/systemd/system/corebalance-farm@a-b.service.d; systemctl daemon-reload'
  [ -z "$(inside systemctl list-units -q --state=failed 'corebalance*')" ]
}

# ---- kills ----

killed_relay_leaves_nothing() {
  local pid
  node a 4001 1 --mode echo
  use "$1"
  client_start killed "${ENDLESS[@]}"
  until_ok busy_is 1
  client_start waiter --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  pid=$(GATE_PID=$(main_pid corebalance.service) holders)
  inside kill -KILL "$pid"
  client_wait waiter
  ! client_wait killed || false
  at_rest
}

@test "listener: kill -9 of a relay frees its slot for the waiter" {
  killed_relay_leaves_nothing listener
  unit_is corebalance.service active
  [ "$(inside systemctl show -P NRestarts corebalance.service)" = 0 ]
}

# systemd looks for kills of the memory killers when a process ends that is its own child: a relay whose listener has ended.
# The attribute is how systemd-oomd(8) leaves word; OOMPolicy= is about the kernel's kills in the same way.
@test "listener: when a relay is killed for lack of memory, the unit goes on and the others are served" {
  local before pid
  node a 4001 2 --mode echo
  use listener
  client_start killed "${ENDLESS[@]}"
  until_ok busy_is 1
  pid=$(GATE_PID=$(main_pid corebalance.service) holders)
  client_start stays "${ENDLESS[@]}"
  until_ok busy_is 2
  inside systemctl restart corebalance.service
  before=$(main_pid corebalance.service)
  client_start waiter --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  inside python3 -c 'import os
for name in ("kill", "ooms"):
    os.setxattr("/sys/fs/cgroup/system.slice/corebalance.service", "user.oomd_" + name, b"1")'
  inside kill -KILL "$pid"
  client_wait waiter
  told() { [ -n "$(journal --grep='oomd killed 1 process.* in this unit')" ]; }
  until_ok told
  unit_is corebalance.service active
  [ "$(main_pid corebalance.service)" = "$before" ]
  [ "$(inside systemctl show -P NRestarts corebalance.service)" = 0 ]
  client_hurry stays
  client_wait stays
  at_rest
}

# Sets GROUP to a control group with a limit of memory, that of the unit or one of ours, and LIMIT and COUNT to the names
# of its files. Machines differ in which version of control groups has the memory.
memory_group() {
  GROUP=/sys/fs/cgroup/system.slice/corebalance.service LIMIT=memory.max COUNT=memory.events
  if inside test ! -e "$GROUP/$LIMIT"; then
    inside mkdir /run/test/memory
    inside mount -t cgroup -o memory none /run/test/memory 2>/dev/null || skip 'no control group has memory here'
    GROUP=/run/test/memory/corebalance-$BASHPID LIMIT=memory.limit_in_bytes COUNT=memory.oom_control
    inside mkdir "$GROUP"
  fi
}

# The groups of version 1 are the machine's own: nothing may be left there.
leave_memory_group() {
  inside sh -c '[ ! -d /run/test/memory ] || { rmdir /run/test/memory/corebalance-* && umount /run/test/memory && rmdir /run/test/memory; }' 2>/dev/null
}

# A process fills the group with memory that does not count as its own, so the kernel ends the relay.
@test "listener: when the kernel kills a relay for lack of memory, the unit goes on and the others are served" {
  local before pid
  node a 4001 2 --mode echo
  use listener
  client_start killed "${ENDLESS[@]}"
  until_ok busy_is 1
  pid=$(GATE_PID=$(main_pid corebalance.service) holders)
  client_start stays "${ENDLESS[@]}"
  until_ok busy_is 2
  client_start waiter --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  before=$(main_pid corebalance.service)
  memory_group
  inside sh -c "echo $pid >$GROUP/cgroup.procs && echo 64M >$GROUP/$LIMIT && echo 1000 >/proc/$pid/oom_score_adj"
  inside systemd-run -q --collect --unit=node-hog python3 -c "
import os
open('$GROUP/cgroup.procs', 'w').write('0')
held = os.memfd_create('held')
while True:
    os.write(held, bytes(1 << 20))"
  client_wait waiter
  ! client_wait killed || false
  inside systemctl kill -s KILL node-hog 2>/dev/null || true # it may have ended
  [ "$(inside sed -n 's/^oom_kill //p' "$GROUP/$COUNT")" -ge 1 ]
  until_ok leave_memory_group
  unit_is corebalance.service active
  [ "$(main_pid corebalance.service)" = "$before" ]
  [ "$(inside systemctl show -P NRestarts corebalance.service)" = 0 ]
  client_hurry stays
  client_wait stays
  at_rest
}

@test "connection: kill -9 of a relay frees its slot for the waiter, and leaves no failed unit" {
  killed_relay_leaves_nothing connection
  [ -z "$(inside systemctl list-units -q --failed --no-legend)" ]
}

@test "listener: kill -9 of the listener costs its waiter and no connection, and the next client is served" {
  node a 4001 1 --mode echo
  use listener
  client_start stays "${ENDLESS[@]}"
  until_ok busy_is 1
  client_start lost --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  inside kill -KILL "$(main_pid corebalance.service)"
  ! client_wait lost || false
  client_start next --send 1000 --half-close --expect echo
  until_ok waiting_is 1
  busy_is 1
  client_hurry stays
  client_wait stays
  client_wait next
  at_rest
}

@test "the page is started by its socket, and by no more than a request" {
  farm_of_one_node_for_the_page() { inside sh -c 'echo "127.0.0.1, 4001, 2, 0" >/etc/corebalance/nodes.conf && cbscore load'; }
  farm_of_one_node_for_the_page
  inside systemctl start corebalance-status.socket corebalance-agent.socket
  [ "$(inside systemctl is-active corebalance-status.service)" != active ]
  [ "$(inside curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:3680/)" = 200 ]
  inside systemctl is-active corebalance-status.service
  inside curl -sS http://127.0.0.1:3680/metrics | grep '^corebalance_build_info{farm="corebalance"'
  inside curl -sS http://127.0.0.1:3680/status.json | jq -e '.slots == 2'
  [ "$(inside socat -t 300 - TCP:127.0.0.1:3681)" = 'up ready 100% maxconn:2' ]
  inside systemctl stop corebalance-status.socket corebalance-agent.socket corebalance-status.service
  [ -z "$(inside systemctl list-units -q --state=failed 'corebalance*')" ]
}
