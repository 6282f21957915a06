# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash disable=SC2119,SC2120  # boot has an argument for close_inherited
#
# enter.bash: the way into what `boot start DIR` has booted. Tests go there thousands of times, and a bash that is started
# to read all of boot would cost more than most of what it runs there.

# Closes descriptors that the caller keeps open, for processes that outlive this program (bats waits for the end of its
# 3). $1 is a descriptor that stays.
close_inherited() {
    local fd
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        if ((fd > 2 && fd != ${1:-0})); then eval "exec $fd>&-"; fi
    done
}

# booted DIR: sets pid to the pid, outside, of the booted system's PID 1. Another process that has its number now is in
# another cgroup.
booted() {
    local cgroup line
    pid=
    { read -r pid <"$1/pid" && read -r cgroup <"$1/cgroup" && read -rd '' line </proc/"$pid"/cgroup; } 2>/dev/null
    [[ $pid && ${cgroup-} && ${line-} == */"$cgroup"/* ]]
}

nsenter_boot=(nsenter --mount --uts --ipc --net --pid --cgroup --target)

# enter_boot DIR COMMAND [ARG...]: becomes the command, inside. It is in PID 1's cgroup, so that stop finds what was left
# running.
enter_boot() {
    local pid
    { booted "$1" && echo 0 >"/proc/$pid/root/sys/fs/cgroup/init.scope/cgroup.procs"; } 2>/dev/null || {
        echo "boot: nothing is booted in $1" >&2
        exit 125
    }
    unset "${!LISTEN_@}" "${!XDG_@}" "${!DBUS_@}" "${!NOTIFY_@}" "${!SYSTEMD_@}" TMPDIR PWD OLDPWD
    export HOME=/root USER=root LOGNAME=root PATH="$PATH:/usr/sbin:/usr/bin:/sbin:/bin"
    close_inherited
    exec "${nsenter_boot[@]}" "$pid" -- "${@:2}"
}

# boot_run DIR COMMAND [ARG...]: runs the command inside; for `boot run` in a test, whose traps would be run for each step.
boot_run() (
    trap - DEBUG ERR
    enter_boot "$@"
)
