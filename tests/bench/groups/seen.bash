# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # lib.bash, groups and run share variables
#
# What it costs to be seen, under a real systemd: connections a second of 16 clients with no line in the journal; with a
# line for each connection; for one in a hundred; with no line but the page open in ten browsers and the metrics scraped
# each second; and with a line for each while systemd-journald is stopped. "journald" is its processor time.

SEEN_FORMS=(none all sample page stopped)

group_seen() {
  local form port=3700
  BASE=none
  boot_prepare "$T/stage" && boot_begin "$T/stage" || return
  declare -gA SEEN_PORT=()
  for form in "${SEEN_FORMS[@]}"; do
    port=$((port + 1))
    SEEN_PORT[$form]=$port
    inside systemd-run -q --unit="gate-$form" cbrelay --log "$(seen_lines "$form")" -s "/run/$form.tdb" \
      "127.0.0.1:$port" 127.0.0.1:4001/64
    wait_until inside sh -c "ss -Hltn 'sport = :$port' | grep -q ." || { say "  left out: $form does not start" && return 1; }
  done
  inside systemd-run -q --unit=page cbscore -s /run/page.tdb serve --web 127.0.0.1:3680
  PEERS=("${SEEN_FORMS[@]}")
  rounds "$(full 8 1)" seen_round
}

group_seen_end() { boot_end; }

seen_lines() { # FORM
  case $1 in
  all | stopped) echo all ;;
  sample) echo sample=100 ;;
  *) echo none ;;
  esac
}

# The processor time of systemd-journald, in seconds.
seen_journald() { inside systemctl show -P CPUUsageNSec systemd-journald.service | awk '{ print $1 / 1e9 }'; }

# Ten browsers each poll as the page's script does; Prometheus asks once a second.
seen_page() {
  # shellcheck disable=SC2016 # for the shell inside
  inside systemd-run -q --unit=looks sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do
      while :; do curl -s -o /dev/null http://127.0.0.1:3680/status.json; sleep 2; done & done
    while :; do curl -s -o /dev/null http://127.0.0.1:3680/metrics; sleep 1; done'
}

seen_round() { # FORM ROUND
  local word before after
  inside journalctl --sync
  before=$(seen_journald)
  case $1 in
  page) seen_page ;;
  stopped) inside systemctl kill -s STOP systemd-journald.service ;;
  esac
  GOT=([failures]=1)
  for word in $(inside /opt/bench/cbbench-load --clients 16 --seconds "$(full 2 0.3)" --timeout 30 "127.0.0.1:${SEEN_PORT[$1]}"); do
    GOT[${word%%=*}]=${word#*=}
  done
  case $1 in
  page) inside systemctl stop looks ;;
  stopped) inside systemctl kill -s CONT systemd-journald.service ;;
  esac
  record_load rate "$1" "$2" "${GOT[rate]-0}" connections/s
  if [ "$1" = stopped ]; then return; fi
  inside journalctl --sync
  after=$(seen_journald)
  record journald "$1" "$2" "$(calculate "($after - $before) * 1e6 / (${GOT[ok]-0} + 1)")" "us a connection"
}
