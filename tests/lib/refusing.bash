# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154  # variables are for the tests, and of the farm of a test
#
# refusing.bash: a node that says why it serves no client, and resets the connection at once.

# refusing_farm: that node, and an entrance whose connections to it are reset before the relay looks at them: see
# tests/tools/preload-reset.c.
refusing_farm() {
  preload reset
  python_node refuse <<END
while True:
    c = s.accept()[0]
    c.sendall(b'too many')
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.close()
END
  node_line 4001 1
  LD_PRELOAD=$PRELOAD entrance alone
}
