#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The page in a real Chromium: at the width of a phone and of a wall, light and dark, with 0 to 2,000 nodes in every
# state; with and without scripts; for eyes, keyboards and screen readers. Chromium is large, so `make check` does not
# install it: `make check-browser` does. With PICTURES=FOLDER the pictures are kept there, to be looked at.

load lib/helpers

setup() {
  local program
  for program in chromium chromedriver; do
    type -P "$program" >/dev/null || skip "$program is not installed: make check-browser installs it"
  done
  farm_setup
  mkdir "$T/home"
}

# Commands for the browser are standard input.
browser() { timeout 300 "$BATS_TEST_DIRNAME/lib/browser" "$T/home"; }

serve() {
  WEB=http://$ADDR:3680
  background "$T/serve.log" "$BUILD/cbscore" -c "$CONF" "$@" serve --web "$ADDR:3680"
  SERVE_PID=$PID
  until_ok is_listening "$ADDR:3680"
}

# Nodes that are up (a, and e as a backup), held (b), down (c), draining (d) and just being tried again (f); connections
# that wait.
all_states() {
  node a 4001 2 --mode line
  node b 4002 3 --mode line
  node_line 4003 70
  node d 4004 1 --mode line
  node e 4005 16 --mode line
  node_line 4006 5 'check=-s banner:good'
  sed -i 's/4005, 16, 0/&, backup/' "$CONF"
  entrance alone
  score down "$ADDR:4002" --reason 'a new disk, which is on its way'
  until_ok eval 'probe; state_is 4003 down && state_is 4006 down'
  client_start crowd -n 5 --line "$(until_word go)" --expect line
  until_ok busy_is 3
  score remove "$ADDR:4004"
  sed -i '/ 4004,/d' "$CONF"
  until_ok waiting_is 2
  full_node 4006
  background "$T/probe.log" "$BUILD/cbprobe" -c "$CONF" --timeout 10min
  until_ok state_is 4006 retry
  [ "$(state_of 4001) $(state_of 4002) $(state_of 4003) $(state_of 4004)" = 'up held down draining' ]
}

# many N: nodes with names of all kinds and lengths, and 1 to 65535 cores; some are held.
many() {
  local i long
  long=$(printf 'machine-with-a-name-that-is-as-long-as-names-may-be-and-longer.%.0s' 1 2 3)farm
  for ((i = 1; i <= $1; i++)); do
    case $((i % 10)) in
    1) echo "[2001:db8:1234:5678:9abc:def0:1234:$(printf %x "$i")]:3632, 3632, $((i % 128 + 1)), 0" | sed 's/]:3632/]/' ;;
    2) echo "n$i.$long, 3632, 8, 0, backup" ;;
    4) echo "10.2.$((i / 256)).$((i % 256)), 3632, $((i == 4 ? 65535 : 100)), 0" ;;
    3) echo "node$i.farm, 3632, 128, 0, check=none" ;;
    *) echo "10.1.$((i / 256)).$((i % 256)), 3632, $((1 << i % 8)), 0, speed=$((i % 5 + 1)).25" ;;
    esac
  done >>"$CONF"
  score load
  score list -nr -o NODE | awk 'NR % 7 == 3' | xargs "$BUILD/cbscore" -c "$CONF" down --reason 'moved to another rack' >"$T/held" 2>&1
}

NARROW='390 844' WIDE='1600 900'
# The page is not wider than the window, and nothing in it is wider than its place.
FITS='[document.documentElement, ...document.querySelectorAll("th, td, li, dd, figure, figcaption, .scale, .word, .count, h1")]
  .every(e => e.scrollWidth <= e.clientWidth || getComputedStyle(e).display === "inline")'
FITS=${FITS//$'\n'/}

# pictures NAME: of the page at all sizes and in both schemes, each of which must fit.
pictures() {
  local size scheme folder=${PICTURES:-$T}
  for size in "$NARROW" "$WIDE"; do
    for scheme in light dark; do
      printf '%s\n' "size $size" "scheme $scheme" "open $WEB/" "true $FITS" \
        "true getComputedStyle(document.documentElement).backgroundColor === '$([ $scheme = dark ] && echo 'rgb(21, 24, 26)' || echo 'rgb(247, 247, 245)')'" \
        "picture $folder/$1-${size% *}-$scheme.png"
    done
  done | browser
  for size in 390 1600; do
    for scheme in light dark; do
      [ "$(file -b --mime-type "$folder/$1-$size-$scheme.png")" = image/png ]
    done
  done
}

@test "pictures: no nodes" {
  score load
  serve
  pictures 0
}

@test "pictures: nodes in every state" {
  all_states
  serve
  pictures states
  word go
  client_wait crowd
}

@test "pictures: 3 nodes, without work" {
  node_line 4001 4
  node_line 4002 8
  node_line 4003 16
  score load
  serve
  pictures 3
}

@test "pictures: 50 nodes" {
  many 50
  serve
  pictures 50
}

@test "pictures: 2,000 nodes" {
  many 2000
  serve
  pictures 2000
}

@test "pictures: all busy, paused, no node up, and no scoreboard" {
  node a 4001 2 --mode line
  entrance alone
  client_start crowd -n 3 --line "$(until_word go)" --expect line
  until_ok waiting_is 1
  serve
  pictures full
  score pause
  pictures paused
  score resume
  score down "$ADDR:4001"
  pictures stopped
  score up "$ADDR:4001"
  word go
  client_wait crowd
  kill "$SERVE_PID"
  gone "$SERVE_PID"
  serve --scoreboard "$T/none.tdb"
  pictures none
}

# ---- without scripts, without a mouse, without eyes ----

@test "with scripts off the page is complete, and comes anew by itself" {
  all_states
  serve
  browser <<END
size $NARROW
scripts off
open $WEB/
true document.querySelectorAll("tbody tr").length === 6
true document.querySelectorAll("figure svg polygon").length === 4
true document.querySelectorAll(".bar").length === 6
true document.body.innerText.includes("a new disk, which is on its way")
true ["up", "held", "down", "draining", "retry"].every(state => document.querySelector("tbody .state." + state))
true [...document.querySelectorAll("*")].every(e => !e.hasAttribute("style"))
true getComputedStyle(document.querySelector(".bar .busy")).fill === "rgb(36, 99, 168)"
true document.querySelector("noscript meta[http-equiv=refresh]").content === "5"
true $FITS
END
  word go
  client_wait crowd
}

@test "the keyboard reaches each link, in the order of the page, and shows where it is" {
  many 50
  serve
  browser <<END
size $WIDE
open $WEB/
true [...document.querySelectorAll("a, button, input, select, textarea, [tabindex]")].every(e => e.matches("footer a"))
press Tab
true document.activeElement.textContent === "status.json"
true getComputedStyle(document.activeElement).outlineStyle !== "none"
press Tab
true document.activeElement.textContent === "metrics"
press Enter
until location.pathname === "/metrics"
true document.body.innerText.includes("corebalance_node_slots")
END
}

@test "a screen reader finds headings, figures with their values, and a table of nodes with its headings, on a phone, too" {
  local size
  all_states
  serve
  for size in "$NARROW" "$WIDE"; do
    printf '%s\n' "size $size" "open $WEB/" heard | browser >"$T/heard"
    for line in 'RootWebArea "scoreboard - corebalance"' 'heading "scoreboard"' 'heading "Not in service"' 'heading "The last hour"' \
      'heading "Nodes"' 'main ""' 'status ""' 'region "The farm now"' 'table "Nodes"' "rowheader \"$ADDR:4001\"" \
      'image "2 of 2 cores busy, 0 free"' 'link "status.json"'; do
      grep -qxF "$line" "$T/heard" || { echo "not heard: $line"; cat "$T/heard"; return 1; }
    done
    grep -qE '^image "Busy slots over the last hour: now 3, at most [34]"$' "$T/heard"
    # On a phone the row of headings is not there: the words stand in the cells.
    if [ "$size" = "$NARROW" ]; then grep -qx 'cell "failed 0"' "$T/heard"; else grep -qx 'columnheader "Failed"' "$T/heard"; fi
    [ "$(grep -c '^row ' "$T/heard")" = $([ "$size" = "$NARROW" ] && echo 6 || echo 7) ]
    # No sign is read out that stands beside its word.
    ! grep -E '●|✕|❚|◐|↻' "$T/heard"
  done
  word go
  client_wait crowd
}

# The file of axe-core's scripts, or nothing.
find_axe() {
  local folder
  for folder in "$BUILD/axe/node_modules" {/usr,/usr/local}/lib/node_modules; do
    if [ -e "$folder/axe-core/axe.min.js" ]; then
      echo "$folder/axe-core/axe.min.js"
    fi
  done
}

@test "axe-core finds nothing" {
  local axe size scheme
  axe=$(find_axe | head -n 1)
  [ -n "$axe" ] || skip "axe-core is not installed: make check-browser installs it where there is npm"
  all_states
  serve
  # The page does not change while axe-core looks at it.
  looks_at() { printf '%s\n' "size $1" "scheme $2" "open $WEB/" 'true Object.defineProperty(document, "hidden", {value: true}).hidden' "axe $axe"; }
  for size in "$NARROW" "$WIDE"; do
    for scheme in light dark; do looks_at "$size" $scheme; done
  done | browser
  # The other colours of the sentence.
  score pause
  { looks_at "$NARROW" light; looks_at "$NARROW" dark; } | browser
  score resume
  word go
  client_wait crowd
}

# ---- what others say ----

@test "what others choose is text: the farm's name, reasons, and what nodes and agents say" {
  local evil='<img src=x onerror=hacked()><script>hacked()</script>"&'"'"'</td><b>' words
  node_line 4001 1
  node a 4002 1
  node_line 4003 1 check=banner:good
  sed -i '2s/$/, check=agent:4102/' "$CONF"
  echo 'down #<img src=x onerror=hacked()>agent' >"$T/agent.words"
  echo '<img src=x onerror=hacked()>banner' >"$T/banner.words"
  background "$T/agent.log" socat "TCP-LISTEN:4102,bind=$ADDR,reuseaddr,fork" "EXEC:cat $T/agent.words"
  background "$T/talker.log" socat "TCP-LISTEN:4003,bind=$ADDR,reuseaddr,fork" "EXEC:cat $T/banner.words"
  until_ok is_listening "$ADDR:4102"
  until_ok is_listening "$ADDR:4003"
  export COREBALANCE_SCOREBOARD="$T/<img src=x onerror=hacked()>&quot;.tdb"
  score load
  score down "$ADDR:4001" --reason "$evil"
  until_ok eval 'probe; score list -J | grep -q ">agent" && score list -J | grep -q ">banner"'
  serve
  words=$(printf '%s' "$evil" | jq -Rs .)
  for word in on off; do
    browser <<END
scripts $word
open $WEB/
true document.querySelectorAll("img, b b, script:not([src])").length === 0
true document.scripts.length === 1
true document.querySelector("h1").textContent === "<img src=x onerror=hacked()>&quot;"
true document.title.startsWith("<img src=x onerror=hacked()>&quot;")
true document.querySelector("tbody tr:nth-child(1) .why").textContent === "held by an administrator: " + $words
true document.querySelector("tbody tr:nth-child(2) .why").textContent.includes("<img src=x onerror=hacked()>agent")
true document.querySelector("tbody tr:nth-child(3) .why").textContent.includes("<img src=x onerror=hacked()>banner")
open $WEB/status.json
true document.querySelectorAll("img").length === 0
true document.contentType === "application/json"
open $WEB/metrics
true document.querySelectorAll("img").length === 0 && document.contentType === "text/plain"
END
  done
}

@test "no script runs that is not the page's own, should the escapes ever fail" {
  node_line 4001 1
  score load
  serve
  browser <<END
open $WEB/
true (() => { const s = document.createElement("script"); s.textContent = "window.hacked = 1"; document.head.append(s); return window.hacked === undefined })()
true (() => { document.body.insertAdjacentHTML("beforeend", "<p onclick='window.hacked = 1' id=p style='color: red'>"); p.click(); return window.hacked === undefined && getComputedStyle(p).color !== "rgb(255, 0, 0)" })()
true fetch("http://127.0.0.1:1/").then(() => false, e => e instanceof TypeError)
END
}

# ---- as the farm moves ----

@test "the page follows the farm without being loaded anew, says when there is no answer, and comes back" {
  node a 4001 2 --mode line
  entrance alone
  serve
  {
    echo "open $WEB/"
    echo "true window.same = true"
    echo 'true document.querySelector(".word").textContent === "Cores are free."'
    echo 'show "free"'
    until_ok grep -q free "$T/shown"
    client_start crowd -n 3 --line "$(until_word go)" --expect line
    echo 'until document.querySelector(".word").textContent.startsWith("Every core is busy: connections wait")'
    echo 'true document.querySelector("tbody .count").textContent === "2 of 2"'
    echo "show \"busy\""
    until_ok grep -q busy "$T/shown"
    kill "$SERVE_PID"
    echo 'until /^No answer for [0-9]+ s; what you see is old\.$/.test(document.getElementById("stale").textContent)'
    echo "show \"old\""
    until_ok grep -q old "$T/shown"
    score down "$ADDR:4001" --reason again >&2
    serve
    echo 'until document.getElementById("stale").textContent === "" && document.body.innerText.includes("again")'
    echo 'true document.querySelector(".word").textContent.startsWith("No node is up")'
    echo 'show "held"'
    until_ok grep -q held "$T/shown"
    score up "$ADDR:4001" >&2
    word go
    # It is still the document that was opened.
    echo "true window.same && performance.getEntriesByType(\"navigation\").length === 1"
  } | browser >"$T/shown" &
  local pid=$!
  wait "$pid"
  until_ok everything_is_free
}
