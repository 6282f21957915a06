#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

MAN=$BATS_TEST_DIRNAME/../man

# The tables of a program, one row a line; see command/help.c.
raw() { "$BUILD/$1" --help=raw; }
help_options() { raw "$1" | awk -F'\t' '$1 == "option" { print $3 }' | sort -u; }
manual_options() { grep -E '^\.It ' "$MAN/$2" | grep -oE 'Fl Fl [a-z-]+|Fl -[a-z-]+' | sed -E 's/Fl (Fl |-)//' | sort -u; }

same_options() {
  diff <(help_options "$1") <(manual_options "$1" "$2")
}

# The manual's words about each option: its name, and the words in one line.
manual_items() { # PAGE
  awk '/^\.It / { n = 0; rest = $0; while (match(rest, /Fl Fl [^ ]+/)) { name[++n] = substr(rest, RSTART + 6, RLENGTH - 6)
      rest = substr(rest, RSTART + RLENGTH) } }
    { sub(/^\.[A-Z][a-z] ?/, ""); gsub(/\\e/, "\\"); for (i = 1; i <= n; i++) words[name[i]] = words[name[i]] $0 " " }
    END { for (i in words) { gsub(/ +/, " ", words[i]); print i "\t" words[i] } }' "$MAN/$1"
}

# The manual's item of an option also has every default that --help tells, number and unit. These words join the parts of a
# default; everything else is a value.
same_defaults() { # PROGRAM PAGE
  raw "$1" | awk -F'\t' '$1 == "option" && $6 != "-" { print $3 "\t" $6 }' >"$T/defaults"
  [ -s "$T/defaults" ]
  manual_items "$2" >"$T/items"
  run -0 awk -F'\t' 'NR == FNR { item[$1] = $2; next }
    { n = split($2, words, /[ ,;]+/)
      for (i = 1; i <= n; i++) if (words[i] !~ /^(or|all|in|and)?$/ && !index(item[$1], without_dollar(words[i])))
        print "--" $1 ": default " $2 "; the manual: " item[$1] }
    function without_dollar(word) { sub(/^\$/, "", word); return word }' "$T/items" "$T/defaults"
  echo "$output"
  [ -z "$output" ]
}

@test "cbrelay: --help and manual have the same options and defaults" { same_options cbrelay cbrelay.8; same_defaults cbrelay cbrelay.8; }
@test "cbscore: --help and manual have the same options and defaults" { same_options cbscore cbscore.1; same_defaults cbscore cbscore.1; }
@test "cbprobe: --help and manual have the same options and defaults" { same_options cbprobe cbprobe.8; same_defaults cbprobe cbprobe.8; }
@test "cbshare: --help and manual have the same options and defaults" { same_options cbshare cbshare.8; same_defaults cbshare cbshare.8; }

@test "--help has the rows of --help=raw: every option, verb, column and key, for the program and each verb" {
  local verb
  for program in cbrelay cbprobe cbshare; do
    "$BUILD/$program" --help >"$T/help"
    run -0 awk -F'\t' 'NR == FNR { help = help $0 "\n"; next }
      $1 == "option" && help !~ "--" $3 "[ \n]" { print "--" $3 }' "$T/help" <(raw "$program")
    echo "$program: $output"
    [ -z "$output" ]
  done
  "$BUILD/cbscore" --help >"$T/all"
  raw cbscore >"$T/raw"
  for verb in $(awk -F'\t' '$1 == "verb" { print $2 }' "$T/raw"); do
    grep -qE "^  $verb( |$)" "$T/all"
    "$BUILD/cbscore" "$verb" --help >"$T/help"
    "$BUILD/cbscore" help "$verb" | cmp - "$T/help"
    run -0 awk -F'\t' -v verb="$verb" 'function expect(row) { if (!index(help, row)) print verb ": " row }
      NR == FNR { help = help $0 "\n"; next }
      $1 == "option" && ($2 == verb || $2 == "-") { expect("--" $3) } $1 == "column" && $2 == verb { expect("  " $3) }
      $1 == "key" && $2 == verb { expect($3 "=") }' "$T/help" "$T/raw"
    echo "$output"
    [ -z "$output" ]
  done
}

@test "each --help of cbscore is one screen: 80 columns, and no more than 60 lines" {
  local verb
  for verb in '' $(raw cbscore | awk -F'\t' '$1 == "verb" { print $2 }'); do
    # shellcheck disable=SC2086 # no verb is no word
    "$BUILD/cbscore" $verb --help >"$T/help"
    [ "$(wc -l <"$T/help")" -le 60 ]
    [ "$(awk 'length > most { most = length } END { print most }' "$T/help")" -le 80 ]
  done
}

# complete LINE: prints what completion offers for the line, called as readline calls it.
complete_line() {
  local COMP_LINE=$1 COMP_POINT=${#1} words word before
  read -ra words < <(sed 's/\([=:]\)/ \1 /g' <<<"$1")
  [[ $1 == *[[:blank:]] ]] && words+=('')
  word=${words[-1]} before=${words[-2]-}
  COMPREPLY=()
  _corebalance "$BUILD/${words[0]}" "$word" "$before"
  [ "${#COMPREPLY[@]}" = 0 ] || printf '%s\n' "${COMPREPLY[@]}"
}

@test "completion knows the options, verbs, columns and keys of --help" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  for program in cbrelay cbprobe cbshare; do
    diff <(help_options "$program") <(complete_line "$program --" | sed 's/^--//' | sort -u)
  done
  diff <(raw cbscore | awk -F'\t' '$1 == "verb" { print $2 }' | sort) <(complete_line "cbscore " | sort)
  diff <(raw cbscore | awk -F'\t' '$1 == "option" && ($2 == "-" || $2 == "explain") { print "--" $3 }' | sort) \
    <(complete_line "cbscore explain --" | sort)
  [ "$(complete_line "cbscore exp")" = $'explain\nexport' ]
  [ "$(complete_line "cbscore explain --policy sp")" = spread ]
  diff <(raw cbscore | awk -F'\t' '$2 == "explain" && $3 == "policy" { print $7 }' | tr ' ' '\n') \
    <(complete_line "cbscore explain --policy=")
  complete_line "cbscore explain --policy=" | grep -qx affinity
  [ "$(complete_line "cbrelay --policy=o")" = order ]
  [ "$(complete_line "cbscore export --forward ipi")" = ipip ]
  [ "$(complete_line "cbscore list -o node,bu")" = node,busy ]
  [ "$(complete_line "cbscore list -o +addr")" = +addresses ]
  [ "$(complete_line "cbscore slots --sort cl")" = client ]
  [ "$(complete_line "cbscore set a:1 che")" = $'check=\ncheck-proxy=' ]
  [ "$(complete_line "cbscore set a:1 cores=3 proxy=")" = $'v1\nv2' ]
  [ "$(complete_line "cbscore export ")" = $'ipvs\nallow' ]
  [ "$(complete_line "cbscore verbosity ")" = $'0\n1\n2' ]
  [ "$(complete_line "cbscore share ")" = $'leased\nnone' ]
  [ "$(complete_line "cbscore help que")" = queue ]
  touch "$T/a.conf" "$T/b.conf"
  [ "$(complete_line "cbscore load $T/a")" = "$T/a.conf" ]
  [ "$(complete_line "cbscore mergelogs $T/a")" = "$T/a.conf" ]
  [ "$(complete_line "cbscore mergelogs $T/a.conf x:1=$T/b")" = "$T/b.conf" ]
  [ "$(complete_line "cbprobe --file=$T/b")" = "$T/b.conf" ]
  [ "$(complete_line "cbscore -c $T/b")" = "$T/b.conf" ]
}

@test "completion offers the nodes of the farm that the line names, and makes no scoreboard" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  echo 'other, 4001, 1, 0x40000000' >"$T/other.conf"
  score load -s "$T/other.tdb" "$T/other.conf"
  [ "$(complete_line "cbscore -s $T/other.tdb down oth")" = other:4001 ]
  [ "$(complete_line "cbscore --scoreboard=$T/other.tdb down other:4")" = 4001 ]
  [ "$(complete_line "cbscore set --scoreboard=$T/other.tdb other:")" = 4001 ]
  [ -z "$(complete_line "cbscore down oth")" ]
  [ ! -e "$SCOREBOARD" ]
}

@test "completion offers kill the slots and clients of the farm that the line names" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  node a 4001 2 --mode line
  entrance alone
  client_start one --line "$(until_word go)" --expect line
  until_ok busy_is 1
  client=$(score slots -nr -o CLIENT)
  unset COREBALANCE_SCOREBOARD
  [ "$(complete_line "cbscore -s $SCOREBOARD kill $ADDR:4")" = 4001/0 ]
  [ "$(complete_line "cbscore -s $SCOREBOARD kill ${client%:*}:")" = "${client##*:}" ]
  word go
  client_wait one
}

@test "completion runs nothing, and offers nothing that a shell would run, whatever a client is called" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  # A program that has such clients in its table.
  cat >"$T/cbscore" <<-END
	#!/bin/bash
	[ "\$*" != --help=raw ] || exec "$BUILD/cbscore" --help=raw
	printf 'a:1 %s %s\n' 0 '\$({touch,$T/ran})' 1 '\`touch\${IFS}$T/ran\`' 2 '{x,y};z' 3 '192.0.2.1:5' 4 '[2001:db8::1%eth0]:6'
	END
  chmod +x "$T/cbscore"
  BUILD=$T run -0 complete_line "cbscore kill "
  echo "$output"
  [ ! -e "$T/ran" ]
  [ "$output" = "$(printf '%s\n' a:1/0 a:1/1 a:1/2 a:1/3 192.0.2.1:5 a:1/4 "[2001:db8::1%eth0]:6")" ]
}

@test "completion: a farm by its name" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  # A program that says with which options it is called.
  printf '#!/bin/bash\n[ "$*" != --help=raw ] || exec "%s" --help=raw\necho "$*" >>"%s"\n' "$BUILD/cbscore" "$T/calls" >"$T/cbscore"
  chmod +x "$T/cbscore"
  for line in "cbscore -f ci down " "cbscore down -f ci " "cbscore --farm=ci down "; do
    : >"$T/calls"
    BUILD=$T complete_line "$line"
    grep -qE -- '(-f|--farm) ci' "$T/calls"
  done
}

@test "cbscore: the manual has every verb and every column of --help" {
  local word
  for word in $(raw cbscore | awk -F'\t' '$1 == "verb" { print $2 }'); do
    grep -qE "^\.It (Cm|Ic) $word" "$MAN/cbscore.1" || { echo "verb $word"; return 1; }
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$MAN/cbscore.1" | grep -qw "$word" || { echo "no synopsis: $word"; return 1; }
  done
  for word in $(raw cbscore | awk -F'\t' '$1 == "column" { print $3 }'); do
    grep -qw "$word" "$MAN/cbscore.1" || { echo "column $word"; return 1; }
  done
  for word in $(raw cbscore | awk -F'\t' '$1 == "key" { print $3 }'); do
    grep -qw "$word" "$MAN/cbscore.1" || { echo "key $word"; return 1; }
    grep -qw "$word" "$MAN/corebalance-nodes.5" || { echo "nodes.5: key $word"; return 1; }
  done
}

@test "the JSON of every table has the types that the manual and --help=raw say, or null" {
  node_line 4001 3 speed=2 check=tcp
  node_line 4002 1 backup
  score load
  echo "gw1 here 4 4 1 1 1 1 same" >"$T/scoreboard.tdb.gateways"
  chmod 0660 "$T/scoreboard.tdb.gateways"
  local verb name type
  mandoc -T ascii "$MAN/cbscore.1" | col -b | tr -s ' \n' '  ' >"$T/manual"
  raw cbscore | awk -F'\t' '$1 == "column" { print $2 "\t" $3 "\t" $5 }' >"$T/columns"
  for verb in $(cut -f 1 "$T/columns" | sort -u); do
    # All columns of the table at once; what is printed is wrong.
    score "$verb" -J -o "$(awk -F'\t' -v verb="$verb" '$1 == verb { print $2 }' "$T/columns" | paste -sd,)" >"$T/json"
    run -0 jq -r --arg verb "$verb" --rawfile columns "$T/columns" '[.[][]] as $rows |
      $columns | split("\n")[] | split("\t") | select(.[0] == $verb) | .[1] as $name | .[2] as $type | $rows[] |
      select(has($name | ascii_downcase) | not), select(.[$name | ascii_downcase] | type | . != $type and . != "null") |
      "\($verb) \($name): not \($type)"' "$T/json"
    echo "$output"
    [ -z "$output" ]
  done
  # A string need not be listed; all others are.
  sed 's/.*boolean BACKUP/boolean BACKUP/; s/string all others.*//' "$T/manual" >"$T/types"
  for type in $(cut -f 3 "$T/columns" | grep -vx string | sort -u); do
    grep -oE "$type .*" "$T/types" >"$T/listed"
    for name in $(awk -F'\t' -v type="$type" '$3 == type { print $2 }' "$T/columns" | sort -u); do
      grep -qw "$name" "$T/listed" || { echo "manual: $name is $type"; return 1; }
    done
  done
  score list -J | jq -e 'keys == ["nodes"] and (.nodes[0].since | type) == "number"' >/dev/null
  score list -J -o node,backup,pinned | jq -e '.nodes[0] == {node: .nodes[0].node, backup: false, pinned: true}' >/dev/null
}

@test "every reason has its entry in cbprobe(8)" {
  local phrase manual
  sed -n 's/.*= "\(..*\)",$/\1/p' "$BATS_TEST_DIRNAME/../scoreboard/list/reason.c" >"$T/phrases"
  [ "$(wc -l <"$T/phrases")" -gt 5 ]
  manual=$(mandoc -T ascii "$MAN/cbprobe.8" | col -b | tr -s ' \n' '  ')
  while read -r phrase; do
    [[ $manual == *"$phrase"* ]] || { echo "$phrase"; return 1; }
  done <"$T/phrases"
}

@test "the numbers of the reasons in corebalance-scoreboard(5) are those of the code" {
  awk '/^enum node_reason/,/REASON_MAX_/' "$BATS_TEST_DIRNAME/../scoreboard/list/reason.h" | grep -oE '^	REASON_[A-Z_]+' |
    tr -d '\t' | grep -v MAX_ >"$T/names"
  n=0
  while read -r name; do
    phrase=$(sed -n "s/.*\[$name\] = \"\(.*\)\",$/\1/p" "$BATS_TEST_DIRNAME/../scoreboard/list/reason.c")
    grep -qxF ".It $n Ta ${phrase:-none}" "$MAN/corebalance-scoreboard.5" || { echo "$n $name $phrase"; return 1; }
    n=$((n + 1))
  done <"$T/names"
  [ "$n" -gt 5 ]
}

# Record a line: its key as the manual has it, and its size.
@test "the sizes of records in corebalance-scoreboard(5) are those of a scoreboard" {
  local port key size
  node a 4001 2
  for port in {5001..5033}; do node_line "$port" 1; sed -i '$s/0$/0x40000000/' "$CONF"; done
  entrance alone --policy affinity
  client --line "sleep 0" --expect line
  GATE=$ADDR:3633 entrance inetd --policy hash --fair
  GATE=$ADDR:3633 client --line "sleep 0" --expect line
  tdbdump "$SCOREBOARD" | awk -F'[()]' '/^key/ { split($3, text, "\""); key = text[2] } /^data/ { print key, $2 }' |
    sed -E 's,^node/[0-9]+,node/ID,; s,^slots/[0-9]+/[0-9]+,slots/NODE/PAGE,; s,^slice/[0-9]+,slice/N,
      s,^speed/[0-9]+,speed/ROW,; s,^(queue|ring|client)/[0-9]+,\1/PAGE,
      s,^(index|party)/0/[0-9]+,\1/0/PAGE,; s,^(index|party)/[0-9]+/[0-9]+,\1/LEVEL/PAGE,' | sort -u >"$T/records"
  sed -nE 's/^\.It ([a-zA-Z0-9/]+) Ta ([0-9]+) Ta .*/\1 \2/p' "$MAN/corebalance-scoreboard.5" | grep -v '^lost' | sort >"$T/named"
  diff "$T/records" "$T/named"
}

@test "corebalance(7) names every unit that is installed" {
  local unit
  make -s -C "$BATS_TEST_DIRNAME/.." install DESTDIR="$T/root" PREFIX=/usr SANITIZE="${SANITIZE-}" >/dev/null
  sed -n '/^\.Sh INSTALLED FILES/,/^\.Sh THE/p' "$MAN/corebalance.7" | tr ' ,' '\n\n' >"$T/named"
  for unit in "$T"/root/usr/lib/systemd/system/corebalance*.{socket,service,timer}; do
    grep -qxF "${unit##*/}" "$T/named" || { echo "${unit##*/}"; return 1; }
  done
}

@test "every manual page is clean mdoc" {
  for page in "$MAN"/*.[1-8]; do
    run mandoc -T lint -W warning "$page"
    echo "$output"
    [ -z "$output" ]
  done
}

@test "every program has --help and --version on stdout, exit 0" {
  for program in cbrelay cbscore cbprobe cbshare; do
    run --separate-stderr -0 "$BUILD/$program" --help
    [[ ${lines[0]} == Usage:* ]]
    [ -z "$stderr" ]
    run --separate-stderr -0 "$BUILD/$program" --version
    [ "$output" = "$program (corebalance) $VERSION" ]
  done
}
