# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# haproxy tuned for bulk: large buffers and pipes, splicing forced. BENCH_HAPROXY_THREADS=1 sets the number of threads.

peer_haproxy-tuned_missing() { needs_program haproxy; }

peer_haproxy-tuned_command() {
  THREADS=${BENCH_HAPROXY_THREADS:-$(nproc)} from_template haproxy-tuned.cfg "$DIR/haproxy.cfg"
  command=(haproxy -q -db -f "$DIR/haproxy.cfg")
}
