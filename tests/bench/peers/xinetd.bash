# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# xinetd's own relay: a process for each connection, made when it comes.

peer_xinetd_missing() { needs_program xinetd; }

peer_xinetd_command() {
  cat >"$DIR/xinetd.conf" <<END
service bench
{
	type = UNLISTED
	socket_type = stream
	protocol = tcp
	wait = no
	user = $(id -un)
	bind = ${LISTEN%:*}
	port = ${LISTEN##*:}
	redirect = ${NODE%:*} ${NODE##*:}
	instances = $CAP
	per_source = UNLIMITED
	cps = 1000000 1
}
END
  command=(xinetd -dontfork -f "$DIR/xinetd.conf" -pidfile "$DIR/pid" -filelog "$DIR/log.xinetd")
}
