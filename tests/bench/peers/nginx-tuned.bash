# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # command is for lib.bash
#
# nginx's stream module with buffers of 256K.

peer_nginx-tuned_missing() { peer_nginx_missing; }
peer_nginx-tuned_cannot() { peer_nginx_cannot "$@"; }

peer_nginx-tuned_command() {
  THREADS=$(nproc) MODULES=$NGINX_MODULES BUFFER=256k from_template nginx.conf "$DIR/nginx.conf"
  command=(nginx -p "$DIR" -e "$DIR/nginx-error.log" -c "$DIR/nginx.conf")
}
