# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154  # variables are for the tests and of the farm of a test
#
# etcd.bash: members of an etcd on the test's own loopback address, each with its data in the test's folder. They need
# no disk: a member that is killed is started again as it was, and the machine lives on.

ETCD_MEMBERS=3

# The ports of member N (from 0) for clients and for members.
etcd_port() { echo $((2379 + 10 * $1)); }
etcd_url() { echo "${ETCD_SCHEME:-http}://$ADDR:$(etcd_port "$1")"; }
etcd_urls() {
  local i urls=''
  for ((i = 0; i < ETCD_MEMBERS; i++)); do urls+=,$(etcd_url $i); done
  echo "${urls#,}"
}

# etcd_member N [etcd option]...: starts member N; its pid is in ETCD_PID[N]. Its data, 64 MB from the first, go with
# the test. It collects garbage seldom, and has no more heartbeats than its election needs: that costs less.
etcd_member() {
  local n=$1 i cluster=''
  shift
  for ((i = 0; i < ETCD_MEMBERS; i++)); do cluster+=,m$i=http://$ADDR:$((2380 + 10 * i)); done
  background "$T/etcd$n.log" env -i PATH="$PATH" GOMAXPROCS=1 GOGC=400 etcd --name "m$n" \
    --data-dir "$T/etcd$n" --unsafe-no-fsync=true --logger zap --log-level error \
    --listen-peer-urls "http://$ADDR:$((2380 + 10 * n))" \
    --initial-advertise-peer-urls "http://$ADDR:$((2380 + 10 * n))" \
    --listen-client-urls "$(etcd_url "$n")" --advertise-client-urls "$(etcd_url "$n")" \
    --initial-cluster "${cluster#,}" --heartbeat-interval 200 --election-timeout 1000 "$@"
  ETCD_PID[n]=$PID
  FOLDERS+=("$T/etcd$n")
}

# etcd_answers N: member N knows a leader and answers, as `etcdctl endpoint health` says it, too. It is asked without a
# process where etcd speaks plainly.
etcd_answers() {
  local answer=''
  if [ -n "${ETCD_SCHEME-}" ]; then
    etcd_ctl --endpoints "$(etcd_url "$1")" endpoint health
    return
  fi
  {
    printf 'GET /health HTTP/1.0\r\n\r\n' >&7
    IFS= read -rt 5 -d '' answer <&7 || true
  } 7<>"/dev/tcp/$ADDR/$((2379 + 10 * $1))" && [[ $answer == *'"health":"true"'* ]]
}

# etcd_start [etcd option]...: all members; returns when they answer.
etcd_start() {
  local i
  ETCD_PID=()
  for ((i = 0; i < ETCD_MEMBERS; i++)); do etcd_member $i "$@"; done
  for ((i = 0; i < ETCD_MEMBERS; i++)); do
    until_ok etcd_answers $i || { grep -h '"msg"' "$T"/etcd?.log && false; }
  done
}

etcd_ctl() { ETCDCTL_API=3 etcdctl "${ETCDCTL[@]}" "$@"; }
