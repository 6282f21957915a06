#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later

load lib/helpers

MAN=$BATS_TEST_DIRNAME/../man

# The long options that --help names, and those that have an item in the manual.
help_options() { "$BUILD/$1" --help | grep -oE -- '(^|[ ,])--[a-z][a-z-]+' | tr -d ' ,' | sed 's/^--//' | sort -u; }
manual_options() { grep -E '^\.It ' "$MAN/$2" | grep -oE 'Fl Fl [a-z-]+|Fl -[a-z-]+' | sed -E 's/Fl (Fl |-)//' | sort -u; }

same_options() {
  diff <(help_options "$1") <(manual_options "$1" "$2")
}

@test "cbrelay: --help and manual have the same options" { same_options cbrelay cbrelay.8; }
@test "cbscore: --help and manual have the same options" { same_options cbscore cbscore.1; }
@test "cbprobe: --help and manual have the same options" { same_options cbprobe cbprobe.8; }

@test "completion knows the same options and verbs as --help" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  offered() { # PROGRAM WORD
    COMP_WORDS=("$1" "$2") COMP_CWORD=1 COMP_LINE="$1 $2"
    COMP_POINT=${#COMP_LINE} COMPREPLY=()
    "$(complete -p cbscore | sed 's/.*-F \([^ ]*\).*/\1/')" "$BUILD/$1" "$2" "$1"
    printf '%s\n' "${COMPREPLY[@]}" | sed 's/^--//; s/ *$//' | sort -u
  }
  for program in cbrelay cbscore cbprobe; do
    diff <(help_options "$program") <(offered "$program" --)
  done
  for verb in $("$BUILD/cbscore" --help | sed -n '/^Verbs:/,/^$/p' | awk '/^  /{ print $1 }'); do
    offered cbscore "${verb:0:2}" | grep -qx "$verb" || { echo "cbscore $verb"; return 1; }
  done
}

@test "completion offers the nodes of the farm that the line names, and makes no scoreboard" {
  # shellcheck source=/dev/null
  source "$BATS_TEST_DIRNAME/../units/completion"
  compopt() { :; }
  offered() { # WORD..., the last of which is to be completed
    COMP_WORDS=("$BUILD/cbscore" "$@") COMP_CWORD=$# COMP_LINE="cbscore $*" COMPREPLY=()
    COMP_POINT=${#COMP_LINE}
    _corebalance "$BUILD/cbscore" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}"
  }
  echo 'other, 4001, 1, 0x40000000' >"$T/other.conf"
  score load -s "$T/other.tdb" "$T/other.conf"
  [ "$(offered -s "$T/other.tdb" down oth)" = other:4001 ]
  [ "$(offered --scoreboard = "$T/other.tdb" -J down oth)" = other:4001 ]
  [ -z "$(offered down oth)" ]
  [ ! -e "$SCOREBOARD" ]
  [ "$(offered explain --policy = sp)" = spread ]
  [ "$(offered explain --policy =)" = "$(printf '%s\n' fastest order spread roundrobin)" ]
}

@test "cbscore: the manual has every verb and every column of --help" {
  local word
  for word in $("$BUILD/cbscore" --help | sed -n '/^Verbs:/,/^$/p' | awk '/^  /{ print $1 }'); do
    grep -qE "^\.It (Cm|Ic) $word" "$MAN/cbscore.1" || { echo "verb $word"; return 1; }
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$MAN/cbscore.1" | grep -qw "$word" || { echo "no synopsis: $word"; return 1; }
  done
  for word in $("$BUILD/cbscore" --help | sed -n '/^Columns/,$p' | awk '/^  [A-Z]/{ print $1 }'); do
    grep -qw "$word" "$MAN/cbscore.1" || { echo "column $word"; return 1; }
  done
}

@test "every reason has its entry in cbprobe(8)" {
  local phrase
  sed -n 's/.*= "\(..*\)",$/\1/p' "$BATS_TEST_DIRNAME/../scoreboard/list/reason.c" >"$T/phrases"
  [ "$(wc -l <"$T/phrases")" -gt 5 ]
  while read -r phrase; do
    mandoc -T ascii "$MAN/cbprobe.8" | col -b | tr -s ' \n' '  ' | grep -qF "$phrase" || { echo "$phrase"; return 1; }
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

@test "every manual page is clean mdoc" {
  for page in "$MAN"/*.[1-8]; do
    run mandoc -T lint -W warning "$page"
    echo "$output"
    [ -z "$output" ]
  done
}

@test "every program has --help and --version on stdout, exit 0" {
  for program in cbrelay cbscore cbprobe; do
    run --separate-stderr -0 "$BUILD/$program" --help
    [[ ${lines[0]} == Usage:* ]]
    [ -z "$stderr" ]
    run --separate-stderr -0 "$BUILD/$program" --version
    [ "$output" = "$program (corebalance) $VERSION" ]
  done
}
