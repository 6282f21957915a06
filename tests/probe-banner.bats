#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

# talker NAME PORT MODE: a server that answers by MODE.
talker() {
  background "$T/$1.log" "$LIB/talker" "$3" "$ADDR:$2"
  until_ok grep -q ^PORT "$T/$1.log"
}

reason_of() { score list -nr -o NODE,REASON | awk -v n="$ADDR:$1" '$1 == n { print $2 }'; }
reason_is() { [ "$(reason_of "$1")" = "$2" ] || { score list; return 1; }; }

@test "banner: a first line that matches is a node that is up, any other takes it down with what was said" {
  talker good 4001 'say:HELLO farm\r\n'
  talker bad 4002 'say:ERROR sick\x1b[1m\r\n'
  talker early 4003 'say:HELLO without an end'
  talker closed 4004 close
  node_line 4001 1 'check=banner:^HELLO (farm|world)$'
  node_line 4002 1 'check=banner:^HELLO'
  node_line 4003 1 'check=banner:^HELLO'
  node_line 4004 1 'check=banner:^HELLO'
  run -0 probe
  state_is 4001 up
  state_is 4003 up
  reason_is 4002 'wrong\x20banner:\x20ERROR\x20sick.[1m'
  reason_is 4004 'closed\x20without\x20an\x20answer'
}

@test "a real SSH and a real SMTP server are up, and neither is taken for the other" {
  if [ "$(id -u)" = 0 ]; then mkdir -p /run/sshd; fi
  ssh-keygen -q -t ed25519 -N '' -f "$T/key"
  background "$T/sshd.log" "$(command -v sshd)" -D -e -p 4001 -o ListenAddress="$ADDR" -h "$T/key" \
    -o PidFile=none -o UsePAM=no -f /dev/null
  until_ok is_listening "$ADDR:4001"
  background "$T/smtp.log" aiosmtpd -n -l "$ADDR:4002" -c aiosmtpd.handlers.Sink
  until_ok is_listening "$ADDR:4002"
  node_line 4001 1 check=ssh
  node_line 4002 1 check=smtp
  printf '%s\n' 'expect "^220 "' 'send "EHLO prober\r\n"' 'expect "^250 "' 'send "QUIT\r\n"' 'expect "^221"' >"$T/chat"
  probe
  state_is 4001 up
  state_is 4002 up
  echo "$ADDR, 4002, 1, 0, check=chat:$T/chat" >"$CONF"
  score load
  run -0 probe -v
  [[ $output == *"$ADDR:4002: chat: answered"* ]]
  # The other way round.
  printf '%s\n' "$ADDR, 4001, 1, 0, check=smtp" "$ADDR, 4002, 1, 0, check=ssh --timeout=300ms" >"$CONF"
  score load
  probe
  [[ $(reason_of 4001) == 'wrong\x20banner:\x20SSH-2.0-'* ]]
  reason_is 4002 'no\x20answer\x20in\x20time'
}

@test "ssh: lines before the version are passed over; pop3, imap and ftp have their banners" {
  talker ssh 4001 'say:notice\r\nanother\r\nSSH-2.0-x\r\n'
  talker pop3 4002 'say:+OK ready\r\n'
  talker imap 4003 'say:* OK ready\r\n'
  talker ftp 4004 'say:220-several\r\n220 lines\r\n'
  talker sick 4005 'say:421 not now\r\n'
  node_line 4001 1 check=ssh
  node_line 4002 1 check=pop3
  node_line 4003 1 check=imap
  node_line 4004 1 check=ftp
  node_line 4005 1 check=ftp
  probe
  for port in 4001 4002 4003 4004; do state_is $port up; done
  reason_is 4005 'wrong\x20banner:\x20421\x20not\x20now'
}

@test "a line that a server says before it closes the connection is told, also if more lines may come" {
  talker full 4001 'last:Exceeded MaxStartups\r\n'
  talker several 4002 'last:notice\r\nNot allowed at this time\r\n'
  talker unended 4003 'last:Not allowed'
  talker silent 4004 close
  talker blank 4005 'last:\r\n'
  for port in 4001 4002 4003 4004 4005; do node_line $port 1 check=ssh; done
  probe
  reason_is 4001 'wrong\x20banner:\x20Exceeded\x20MaxStartups'
  reason_is 4002 'wrong\x20banner:\x20Not\x20allowed\x20at\x20this\x20time'
  reason_is 4003 'wrong\x20banner:\x20Not\x20allowed'
  reason_is 4004 'closed\x20without\x20an\x20answer'
  reason_is 4005 'wrong\x20banner'
}

@test "chat: the step that fails is told by its line" {
  talker good 4001 'script:220 hi\r\n|250 sure\r\n|221 bye\r\n'
  talker bad 4002 'script:220 hi\r\n|550 no\r\n|221 bye\r\n'
  printf '%s\n' '# a chat' '' 'expect "^220 "' 'send "EHLO \x78\r\n"' 'expect "^250 (sure|fine)\r$"' 'send "QUIT\r\n"' >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat"
  node_line 4002 1 "check=chat:$T/chat -t 20s"
  probe
  state_is 4001 up
  reason_is 4002 'wrong\x20answer:\x20line\x205:\x20550\x20no'
}

@test "chat: mistakes of the file are told with their lines, and its nodes stay as they are" {
  printf '%s\n' 'expect "("' 'say "x"' 'send x' 'send "x' 'expect "\x{zz}"' 'send "\q"' 'send "x" y' 'send ""' >"$T/chat"
  node_line 4001 1 "check=chat:$T/chat"
  node_line 4002 1 "check=chat:$T/missing"
  run --separate-stderr -0 probe
  for line in '1: expected a regular expression: missing closing parenthesis, at byte 2' '2: "say": expected send or expect' \
    '3: "x": expected a text in double quotes' '4: expected a double quote at the end of the text' \
    '6: "\q": expected \r, \n, \t, \", \\ or \xHH' '7: "y": expected nothing behind the text' \
    '8: expected a text that is not empty'; do
    [[ $stderr == *"cbprobe: $T/chat:$line"* ]] || { echo "$line"; echo "$stderr"; return 1; }
  done
  [[ $stderr == *"$T/chat:5: expected a regular expression: "* ]]
  [[ $stderr == *"check \"chat:$T/missing\": No such file or directory; its nodes are left as they are"* ]]
  state_is 4001 up
  state_is 4002 up
}

@test "chat: a file that is a pipe, a device, or too large holds nothing up, and its nodes stay as they are" {
  local file port
  mkfifo "$T/pipe"
  truncate -s 2M "$T/large"
  talker good 4009 'say:220 hi\r\n'
  node_line 4001 1 "check=chat:$T/pipe"
  node_line 4002 1 check=chat:/dev/zero
  node_line 4003 1 "check=chat:$T/large"
  node_line 4004 1 "check=chat:$T"
  node_line 4009 1 check=smtp
  run --separate-stderr -0 probe
  for file in "$T/pipe" /dev/zero "$T/large" "$T"; do
    [[ $stderr == *"cbprobe: check \"chat:$file\": expected a regular file of at most 1 MB; its"* ]] || { echo "$file: $stderr"; return 1; }
  done
  for port in 4001 4002 4003 4004 4009; do
    state_is "$port" up
  done
}

@test "check-proxy: the node hears a PROXY header before the check's own bytes" {
  talker a 4001 "record:$T/a.heard"
  printf '%s\n' 'send "hello\n"' 'expect "ok"' >"$T/chat"
  echo "$ADDR, 4001, 1, 0, check=chat:$T/chat, check-proxy=v1" >"$CONF"
  probe
  state_is 4001 up
  until_ok test -s "$T/a.heard"
  said=$(xxd -r -p <"$T/a.heard" | tr -d '\r')
  [[ $said =~ ^PROXY\ TCP4\ 127\.[0-9.]+\ $ADDR\ [0-9]+\ 4001.hello$ ]] || { echo "$said"; return 1; }
  # Version 2 has a command for checks: LOCAL, with nothing behind it.
  echo "$ADDR, 4001, 1, 0, check=banner:^ok, check-proxy=v2" >"$CONF"
  score load
  probe
  state_is 4001 up
  until_ok grep -qx 0d0a0d0a000d0a515549540a20000000 "$T/a.heard"
  # tcp sends no bytes, so there is no header.
  echo "$ADDR, 4001, 1, 0, check-proxy=v2" >"$CONF"
  score load
  probe
  state_is 4001 up
}

@test "what a node says in UTF-8 is shown as it is, what is none of it as dots, in any locale" {
  talker bad 4001 'say:caf\xc3\xa9 \xe2\x82\xac\xff\xc3( \xe2\x80\xae\xc2\x85\xed\xa0\x80 x\r\n'
  node_line 4001 1 'check=banner:^HELLO'
  run -0 probe
  [[ $output == *"is down: wrong banner: café €..( ........ x (was up for "* ]] || { echo "$output"; return 1; }
  [[ $(LC_ALL=C.UTF-8 score list) == *"wrong banner: café €..( ........ x"* ]]
  [[ $(LC_ALL=C timeout 300 "$BUILD/cbscore" list) == *"wrong banner: caf\xc3\xa9 \xe2\x82\xac..( ........ x"* ]]
  for locale in C C.UTF-8; do
    # Raw output escapes the byte once.
    [ "$(LC_ALL=$locale score list -nr -o REASON)" = 'wrong\x20banner:\x20caf\xc3\xa9\x20\xe2\x82\xac..(\x20........\x20x' ] ||
      { LC_ALL=$locale score list -nr -o REASON; return 1; }
    [ "$(LC_ALL=$locale score list -J -o REASON | jq -r '.nodes[0].reason')" = 'wrong banner: café €..( ........ x' ]
  done
}

@test "what a node says is shown to its end: behind a NUL byte, cut between characters, and once" {
  talker nul 4001 'say:no\x00t yet\r\n'
  talker escape 4004 'say:a\\x41 caf\xc3\xa9\r\n'
  talker long 4002 "say:$(printf '\\xc3\\xa9%.0s' {1..60})\r\n"
  talker chat 4003 'say:no\x00t yet\r\n'
  echo 'expect "^HELLO$"' >"$T/chat"
  node_line 4001 1 'check=banner:^HELLO'
  node_line 4002 1 'check=banner:^HELLO'
  node_line 4003 1 "check=chat:$T/chat"
  node_line 4004 1 'check=banner:^HELLO'
  run -0 probe
  [[ $output == *"4001 is down: wrong banner: no.t yet (was up for "* ]]
  [[ $output =~ "4002 is down: wrong banner: "é+" (was up for " ]]
  [[ $output == *"4003 is down: wrong answer: line 1: no.t yet (was up for "* ]]
  # What looks like an escape is text, and is not escaped.
  [[ $output == *'4004 is down: wrong banner: a\x41 café (was up for '* ]]
  [[ $(LC_ALL=C.UTF-8 score list) == *'wrong banner: a\x41 café'* ]]
}
