# Makes the unit of a named farm of the unit of the standard farm: corebalance-farm@.service of corebalance.service, and
# so on, so that both stay the same. %i is the farm's name.
s|^\(#* *ExecStart=[^ ]*/cb[a-z]*\)|\1 --farm %i|
s#/cbscore \(load\|export\)#/cbscore --farm %i \1#
s|corebalance farm|corebalance farm %i|
s,corebalance\.\(socket\|service\),corebalance-farm@%i.\1,g
s,corebalance-\(allow\|probe\|scoreboard\|share\|status\)\.,corebalance-farm-\1@%i.,g
s|/etc/default/corebalance-share|&-%i|
s|/run/corebalance/scoreboard\.tdb|/run/corebalance/%i.tdb|
s|/run/corebalance/allow\.conf|/run/corebalance/%i-allow.conf|
# A named farm has no unit for each connection.
s#/run/systemd/system/corebalance@\.service\.d/allow\.conf##
s#for unit in corebalance@\.service #for unit in #
# A farm's port is its own: systemctl edit corebalance-farm@NAME.socket adds it. Until then there is a unix socket.
s|^ListenStream=3632$|ListenStream=/run/corebalance/%i.sock\
SocketUser=corebalance\
SocketGroup=corebalance\
SocketMode=0660|
s|^ListenStream=127.0.0.1:3680$|ListenStream=/run/corebalance/%i-status.sock\
SocketUser=corebalance\
SocketGroup=corebalance\
SocketMode=0660|
/per-connection.conf in corebalance/d
/^# With it alone one process/d
