# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2154  # variables of the farm of a test
#
# nginx.bash: a real nginx as a node.

# nginx_at PORT CORES <<END: a node, and its line in the list. The block http { } of its configuration is on
# standard input. Its folder is
# $T/nginx. Skips the test where there is no nginx.
nginx_at() {
  command -v nginx >/dev/null || skip "nginx is not installed"
  mkdir -p "$T/nginx"
  cat >"$T/nginx.conf" <<END
daemon off; pid $T/nginx/pid; error_log $T/nginx/error.log; worker_processes 1;
events {}
http {
  client_body_temp_path $T/nginx/a; proxy_temp_path $T/nginx/b; fastcgi_temp_path $T/nginx/c;
  uwsgi_temp_path $T/nginx/d; scgi_temp_path $T/nginx/e;
$(cat)
}
END
  background "$T/nginx.log" nginx -e "$T/nginx/error.log" -c "$T/nginx.conf"
  until_ok is_listening "$ADDR:$1"
  node_line "$1" "$2"
}
