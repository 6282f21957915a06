# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# nginx's stream module, with Debian's buffers. As many workers as haproxy has threads, each with a socket of its own.

NGINX_MODULES=/usr/lib/nginx/modules

peer_nginx_missing() {
  needs_program nginx
  [ -e $NGINX_MODULES/ngx_stream_module.so ] || echo "its stream module is not installed"
}

peer_nginx_cannot() {
  case $1 in queue | handover) echo "refuses clients at the cap" ;; esac
}

peer_nginx_command() {
  THREADS=$(nproc) MODULES=$NGINX_MODULES BUFFER=16k from_template nginx.conf "$DIR/nginx.conf"
  command=(nginx -p "$DIR" -e "$DIR/nginx-error.log" -c "$DIR/nginx.conf")
}
