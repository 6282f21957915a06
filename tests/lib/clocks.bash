# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2034  # variables are for the tests
#
# clocks.bash: other clocks for some processes of a test, so that the clock of the machine stays.

# clock_preload: builds $CLOCK_PRELOAD. A process with it in LD_PRELOAD, and with CLOCK in its environment, has other clocks.
clock_preload() {
  CLOCK=$T/clock CLOCK_PRELOAD=$T/preload-clock.so
  build_preload clock "$CLOCK_PRELOAD"
  head -c 16 /dev/zero >"$CLOCK"
  # A sanitizer must be the first library.
  OTHER_CLOCKS="env CLOCK=$CLOCK LD_PRELOAD=${SANITIZE:+$(gcc -print-file-name=libasan.so):}$CLOCK_PRELOAD"
}

# clocks_ahead WALL [BOOT]: the wall clock of such processes, and the clock that counts from the boot, are so many seconds
# ahead from now on.
clocks_ahead() {
  python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("=qq", int(sys.argv[2]), int(sys.argv[3])))' \
    "$CLOCK" "$1" "${2-0}"
}
