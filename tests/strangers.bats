#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# strangers.bats: attacks of a local user by files against the programs of root
# and of other users: links, files planted in advance, files swapped between two
# system calls.

load lib/helpers
load lib/holders

STRANGER=54321
MEMBER=54322
GROUP=54320

setup() {
  if [ "$(id -u)" != 0 ]; then skip "needs root to be several users"; fi
  farm_setup
  # Programs and folders where every user can reach them.
  local dir=$T
  cp "$BUILD/cbscore" "$BUILD/cbrelay" "$BUILD/cbprobe" "$BUILD/tests/cbtest-damage" "$T"
  chmod 755 "$T" "$T"/cb*
  while [ "$dir" != / ]; do chmod o+x "$dir"; dir=$(dirname "$dir"); done
  node_line 4001 1
  chmod 644 "$CONF"
}

teardown() { [ -z "${PIDS+x}" ] || farm_teardown; }

as() { # UID PROGRAM...
  local uid=$1
  shift
  setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
}

as_member() { setpriv --reuid=$MEMBER --regid=$MEMBER --groups=$GROUP "$@"; }

# folder MODE OWNER[:GROUP]: makes the folder of the scoreboard.
folder() {
  mkdir "$T/run"
  chown "$2" "$T/run"
  chmod "$1" "$T/run"
  SCOREBOARD=$T/run/scoreboard.tdb
  export COREBALANCE_SCOREBOARD=$SCOREBOARD
}

# says STATUS LINE COMMAND...: the command ends with that status, and LINE is the last on standard error.
says() {
  local status=$1 line=$2
  shift 2
  run --separate-stderr "-$status" "$@"
  [ "${stderr##*$'\n'}" = "$line" ] || { echo "said: $stderr"; return 1; }
}

NOT_THEIRS='not believed: it belongs to neither root, nor this user, nor the owner of its folder'

@test "a scoreboard that a stranger planted in a folder for all is believed by no other user's programs" {
  folder 1777 root
  as $STRANGER "$T/cbscore" -c "$CONF" -s "$SCOREBOARD" load
  [ "$(stat -c %u "$SCOREBOARD")" = $STRANGER ]
  says 1 "cbscore: $SCOREBOARD: $NOT_THEIRS" "$T/cbscore" -c "$CONF" list
  says 78 "cbprobe: $SCOREBOARD: $NOT_THEIRS" "$T/cbprobe" -c "$CONF"
  says 1 "cbscore: $SCOREBOARD: $NOT_THEIRS" as $MEMBER "$T/cbscore" -c "$CONF" list
  says 78 "cbrelay: $SCOREBOARD: $NOT_THEIRS" as $MEMBER "$T/cbrelay" -c "$CONF" -s "$SCOREBOARD" "$GATE"
  as $STRANGER "$T/cbscore" -c "$CONF" list
}

@test "a scoreboard that others may write, or replace, is not believed" {
  local open='not believed: everybody may write it, or replace it in its folder'
  folder 755 root
  "$T/cbscore" -c "$CONF" load
  chmod o+w "$SCOREBOARD"
  says 1 "cbscore: $SCOREBOARD: $open" "$T/cbscore" -c "$CONF" list
  chmod 600 "$SCOREBOARD"
  "$T/cbscore" -c "$CONF" list
  chmod 777 "$T/run"
  says 1 "cbscore: $SCOREBOARD: $open" "$T/cbscore" -c "$CONF" list
  rm "$T/run"/*
  says 1 "cbscore: $SCOREBOARD: $open" "$T/cbscore" -c "$CONF" load
  [ -z "$(ls -A "$T/run")" ]
}

@test "a link in the place of the scoreboard is not followed" {
  folder 755 root
  "$T/cbscore" -c "$CONF" -s "$T/elsewhere.tdb" load
  ln -s "$T/elsewhere.tdb" "$SCOREBOARD"
  says 1 "cbscore: $SCOREBOARD: a symbolic link, which is not followed" "$T/cbscore" -c "$CONF" list
  says 78 "cbprobe: $SCOREBOARD: a symbolic link, which is not followed" "$T/cbprobe" -c "$CONF"
}

@test "what root makes in a folder that is not root's belongs to the folder's owner" {
  folder 770 $STRANGER:$GROUP
  "$T/cbscore" -c "$CONF" load
  [ "$(stat -c '%u %g %a' "$SCOREBOARD")" = "$STRANGER $GROUP 660" ]
  rm "$SCOREBOARD"
  chmod 755 "$T/run"
  "$T/cbscore" -c "$CONF" load
  [ "$(stat -c '%u %a' "$SCOREBOARD")" = "$STRANGER 600" ]
  as $STRANGER "$T/cbscore" -c "$CONF" list
}

@test "a member of the group changes the scoreboard, and makes none that no program would believe" {
  folder 770 $STRANGER:$GROUP
  says 1 "cbscore: $SCOREBOARD: only root and the owner of its folder can make a scoreboard there" \
    as_member "$T/cbscore" -c "$CONF" load
  # The listener makes it soon. The next pass of the prober is as good.
  says 75 "cbprobe: $SCOREBOARD: only root and the owner of its folder can make a scoreboard there" as_member "$T/cbprobe" -c "$CONF"
  [ -z "$(ls -A "$T/run")" ]
  setpriv --reuid=$STRANGER --regid=$STRANGER --groups=$GROUP "$T/cbscore" -c "$CONF" load
  [ "$(stat -c '%u %g %a' "$SCOREBOARD")" = "$STRANGER $GROUP 660" ]
  as_member "$T/cbscore" -c "$CONF" down "$ADDR:4001"
  as_member "$T/cbscore" -c "$CONF" list
}

# No program would believe a file of the member's, so a process that may make the scoreboard repairs the damage.
@test "a member of the group that meets damage leaves it to a process that may make the scoreboard" {
  local as_owner=(setpriv "--reuid=$STRANGER" "--regid=$STRANGER" "--groups=$GROUP")
  folder 770 $STRANGER:$GROUP
  "${as_owner[@]}" "$T/cbscore" -c "$CONF" load
  "$T/cbtest-damage" "$SCOREBOARD" header
  says 1 "cbscore: $SCOREBOARD: only root and the owner of its folder can make a scoreboard there" \
    as_member "$T/cbscore" -c "$CONF" fsck --repair
  says 75 "cbprobe: $SCOREBOARD: only root and the owner of its folder can make a scoreboard there" as_member "$T/cbprobe" -c "$CONF"
  [ "$(stat -c %u "$SCOREBOARD")" = $STRANGER ]
  [ "$(find "$T/run" -user $MEMBER)" = '' ]
  "${as_owner[@]}" "$T/cbscore" -c "$CONF" fsck --repair
  [ "$(stat -c '%u %g %a' "$SCOREBOARD")" = "$STRANGER $GROUP 660" ]
  run -0 as_member "$T/cbprobe" -c "$CONF"
}

@test "root that makes a scoreboard has no right of its own in the folder: a link on the way opens nothing" {
  folder 755 $STRANGER
  mkdir -m 700 "$T/secret"
  as $STRANGER ln -s "$T/secret" "$T/run/sub"
  says 1 "cbscore: $T/run/sub/scoreboard.tdb: Permission denied" "$T/cbscore" -c "$CONF" -s "$T/run/sub/scoreboard.tdb" load
  [ -z "$(ls -A "$T/secret")" ]
}

@test "root writes figures, and edits a list, in a user's folder as that user" {
  folder 755 $STRANGER:$STRANGER
  mkdir -m 700 "$T/secret"
  as $STRANGER cp "$CONF" "$T/run/nodes.conf"
  "$T/cbscore" -c "$T/run/nodes.conf" load
  "$T/cbscore" -c "$T/run/nodes.conf" metrics --file "$T/run/figures.prom"
  [ "$(stat -c '%u %a' "$T/run/figures.prom")" = "$STRANGER 644" ]
  EDITOR="sh -c 'id -ru; id -u; sed -i s/4001/4002/ \"\$1\"' sh" run "$T/cbscore" -c "$T/run/nodes.conf" edit; echo "$output"
  [ "$(head -n 2 <<<"$output")" = "$(printf '%s\n' $STRANGER $STRANGER)" ]
  grep -q 4002 "$T/run/nodes.conf"
  # Links to where the user may not write, and to what is not there.
  as $STRANGER ln -s "$T/secret" "$T/run/sub"
  as $STRANGER ln -s "$T/secret/nodes.conf" "$T/run/planted.conf"
  says 1 "cbscore: $T/run/sub/figures.prom: Permission denied" "$T/cbscore" metrics --file "$T/run/sub/figures.prom"
  says 1 "cbscore: $T/run/sub/nodes.conf: Permission denied" "$T/cbscore" -c "$T/run/sub/nodes.conf" edit
  says 1 "cbscore: $T/run/planted.conf: Permission denied" "$T/cbscore" -c "$T/run/planted.conf" edit
  [ -z "$(ls -A "$T/secret")" ]
  rm "$T/run/planted.conf"
  ln -s "$T/secret/nodes.conf" "$T/planted.conf"
  says 1 "cbscore: $T/planted.conf: File exists" "$T/cbscore" -c "$T/planted.conf" edit
  [ -z "$(ls -A "$T/secret")" ]
}

@test "figures replace no device, pipe, socket, folder or link, and an edit does not wait for a pipe" {
  local kind
  score load
  mknod "$T/device" c 1 3
  mkfifo "$T/pipe"
  mkdir "$T/folder"
  ln -s "$T/none" "$T/link"
  python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$T/socket')"
  for kind in device pipe folder link socket; do
    stat -c '%F %i' "$T/$kind" >"$T/before"
    says 1 "cbscore: $T/$kind: expected a regular file, or none" "$T/cbscore" metrics --file "$T/$kind"
    stat -c '%F %i' "$T/$kind" | diff "$T/before" -
  done
  [ ! -e "$T/none" ]
  for kind in device pipe folder; do
    says 1 "cbscore: $T/$kind: expected a regular file" timeout -s KILL 300 "$T/cbscore" -c "$T/$kind" edit
  done
}

# The owner of the folder replaces every file that appears in it by a link, as fast as possible. Root makes, keeps and
# replaces files there, and must never reach the file behind the links.
@test "root makes, rebuilds and keeps in a folder whose owner swaps every file for a link: nothing of root's is touched" {
  local i before
  folder 755 $STRANGER
  echo precious >"$T/precious"
  chmod 640 "$T/precious"
  before=$(stat -c '%u %g %a %s %Y' "$T/precious")
  background "$T/swapper.log" as $STRANGER /usr/bin/python3 -c "
import os, sys, time
folder, target = '$T/run', '$T/precious'
end = time.time() + 900
while time.time() < end:
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        try:
            if not os.path.islink(path):
                os.unlink(path)
                os.symlink(target, path)
            elif 'stop' in name:
                sys.exit(0)
        except OSError:
            pass"
  local swapper=$PID
  for ((i = 0; i < 60; i++)); do
    "$T/cbscore" -c "$CONF" load >/dev/null 2>&1 || true
    as $STRANGER "$T/cbtest-damage" "$SCOREBOARD" header >/dev/null 2>&1 || true
    "$T/cbscore" -c "$CONF" list >/dev/null 2>&1 || true
    rm -f "$T/run"/*
  done
  kill "$swapper" || { cat "$T/swapper.log"; return 1; }
  gone "$swapper"
  [ "$(stat -c '%u %g %a %s %Y' "$T/precious")" = "$before" ]
  [ "$(cat "$T/precious")" = precious ]
}

# forge FILE PID: the scoreboard's slots that another process holds are PID's from now on, by its start time, too.
forge() {
  python3 - "$@" <<'PYTHON'
import struct, sys
path, pid = sys.argv[1], int(sys.argv[2])
def start(pid):
    return int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[19])
old = int(sys.argv[3])
data = open(path, 'rb').read()
a, b = (struct.pack('=IIQ', p, 0, start(p)) for p in (old, pid))
assert a in data
with open(path, 'r+b') as file:
    at = data.find(a)
    while at >= 0:
        file.seek(at)
        file.write(b)
        at = data.find(a, at + 1)
PYTHON
}

@test "root's kill ends no process that a foreign farm's scoreboard names; a member of the group ends no relay of another user" {
  local relay
  # Root's farm, with a connection.
  node_start a 4001 1 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  relay=$(holders)
  # A stranger's farm, whose slot is said to be held by root's relay.
  folder 770 $STRANGER:$GROUP
  GATE=$ADDR:3700
  background "$T/stranger.log" setpriv --reuid=$STRANGER --regid=$STRANGER --groups=$GROUP "$T/cbrelay" -c "$CONF" -s "$SCOREBOARD" "$GATE"
  GATE_PID=$PID
  until_ok is_listening "$GATE"
  until_ok test -e "$SCOREBOARD"
  client_start two --line "$(until_word go)" --expect line
  until_ok busy_is 1
  # The node takes a single connection, so the stranger's waits there; the group sees that slot, and cannot end its relay.
  says 1 "cbscore: $ADDR:4001/0: Operation not permitted; become root or the relay's user" \
    as_member "$T/cbscore" -c "$CONF" kill "$ADDR:4001/0"
  # So it is where /proc does not show the member that the process is a relay.
  hidepid_wrapper
  says 1 "cbscore: $ADDR:4001/0: Operation not permitted; become root or the relay's user" \
    "$T/hidepid" setpriv --reuid=$MEMBER --regid=$MEMBER --groups=$GROUP "$T/cbscore" -c "$CONF" kill "$ADDR:4001/0"
  as_member "$T/cbscore" -c "$CONF" down "$ADDR:4001"
  forge "$SCOREBOARD" "$relay" "$(holders)"
  [ "$(score slots -nr -o PID)" = "$relay" ]
  says 1 "cbscore: $ADDR:4001/0: its process is of another farm, and is left alone" score kill "$ADDR:4001/0"
  [ "$(stat -c %u "/proc/$relay")" = 0 ]
  word go
  client_wait one
}

@test "a user outside of the group is refused by every verb, and sees the farm without clients' addresses by the page alone" {
  local verb client
  folder 770 $MEMBER:$GROUP
  node_start a 4001 1 --mode line
  background "$T/relay.log" setpriv --reuid=$MEMBER --regid=$GROUP --clear-groups "$T/cbrelay" -c "$CONF" -s "$SCOREBOARD" "$GATE"
  until_ok is_listening "$GATE"
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client=$(score slots -nr -o CLIENT)
  for verb in list status slots queue explain dump pause "down $ADDR:4001" "kill $ADDR:4001/0" "set $ADDR:4001 cores=2" fsck verbosity; do
    # shellcheck disable=SC2086  # a verb with its arguments
    says 1 "cbscore: $SCOREBOARD: Permission denied; become root, or a member of the group corebalance" \
      as $STRANGER "$T/cbscore" -c "$CONF" $verb
  done
  # What the line for sudo in cbscore(1) and the page show has no client in it.
  run -0 setpriv --reuid=$MEMBER --regid=$GROUP --clear-groups "$T/cbscore" -c "$CONF" status
  [[ $output == *" 1 of 1 cores busy"* && $output != *"${client%:*}"* ]]
  background "$T/serve.log" setpriv --reuid=$MEMBER --regid=$GROUP --clear-groups "$T/cbscore" -c "$CONF" serve -w "$ADDR:3680"
  until_ok is_listening "$ADDR:3680"
  run -0 as $STRANGER curl -s "http://$ADDR:3680/status.json"
  [[ $(jq -c '[.busy, .nodes[0].node]' <<<"$output") == "[1,\"$ADDR:4001\"]" && $output != *"$client"* ]]
  word go
  client_wait one
}
