# SPDX-License-Identifier: GPL-3.0-or-later
#
# report.awk: a group's table, from goals.tsv and results.tsv (in this order). -v group= base= data=FILE for the picture;
# slow=1: a system call is dear here, and the goals of the last column count, where there are such.
# Ratios are taken within a round, as the machine drifts between rounds. The table shows their median and range.

BEGIN { FS = "\t" }
/^#/ { next }

# goals.tsv
FNR == NR {
	if ($1 != group) next
	n_goals++
	goal_row[n_goals] = $2; ours[n_goals] = $3; against[n_goals] = $4; relation[n_goals] = $5
	goal[n_goals] = slow && $7 != "" ? $7 : $6
	next
}

# results.tsv
$1 != group { next }
$2 ~ /\.failures$/ { row = $2; sub(/\.failures$/, "", row); failures[row, $3] += $5; next }
{
	if (!($2 in unit)) { rows[++n_rows] = $2; unit[$2] = $6 }
	if (!(($2, $3) in seen)) { seen[$2, $3] = 1; peers[$2, ++n_peers[$2]] = $3 }
	value[$2, $3, $4] = $5
	if ($4 > n_rounds) n_rounds = $4
}

# Sorts the n values of a[], and sets the globals median, least and most to theirs.
function spread(a, n,    i, j, x)
{
	for (i = 2; i <= n; i++) {
		x = a[i]
		for (j = i - 1; j >= 1 && a[j] > x; j--) a[j + 1] = a[j]
		a[j + 1] = x
	}
	least = a[1]; most = a[n]
	median = n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}

function values_of(row, peer,    a, n, r)
{
	for (r = 1; r <= n_rounds; r++) if ((row, peer, r) in value) a[++n] = value[row, peer, r] + 0
	if (n) spread(a, n)
	return n + 0
}

function ratios_of(row, peer, other,    a, n, r)
{
	for (r = 1; r <= n_rounds; r++)
		if ((row, peer, r) in value && (row, other, r) in value && value[row, other, r] > 0)
			a[++n] = value[row, peer, r] / value[row, other, r]
	if (n) spread(a, n)
	return n + 0
}

function short_number(x) { return x >= 1000 ? sprintf("%.0f", x) : x >= 100 ? sprintf("%.1f", x) : sprintf("%.3g", x) }

function table(row,    i, peer, line)
{
	printf "\n  %s%s\n", row, unit[row] != "" ? ", " unit[row] : ""
	for (i = 1; i <= n_peers[row]; i++) {
		peer = peers[row, i]
		values_of(row, peer)
		line = sprintf("    %-14s %9s  %-19s", peer, short_number(median), short_number(least) " .. " short_number(most))
		printf "%s\t%s\t%s\t%s\t%s\t%s\n", row, unit[row], peer, median, least, most > data
		medians[row, peer] = median
		if (peer != base && peer != "direct" && ratios_of(row, peer, base))
			line = line sprintf("  %5.2f of %s (%.2f .. %.2f)", median, base, least, most)
		if (failures[row, peer]) line = line "  FAILED " failures[row, peer] " TIMES: not the same work"
		print line
	}
}

function verdict(g,    row, n, words, met)
{
	row = goal_row[g]
	if (against[g] == "-") {
		n = values_of(row, ours[g])
		words = sprintf("%s %s %s", ours[g], relation[g], goal[g] (unit[row] != "" ? " " unit[row] : ""))
	} else {
		n = ratios_of(row, ours[g], against[g])
		words = sprintf("%s %s %s of %s", ours[g], relation[g], goal[g], against[g])
	}
	if (!n) return sprintf("    goal: %s: not measured", words)
	met = relation[g] == ">=" ? median >= goal[g] : median <= goal[g]
	return sprintf("    goal: %s: %.3g (%.3g .. %.3g), %s%s", words, median, least, most, met ? "met" : "MISSED", \
		failures[row, ours[g]] || failures[row, against[g]] ? ", but there were failures" : "")
}

# Tells where the bench's own programs may be the limit.
function headroom(row,    i, fastest, name)
{
	if (!((row, "direct") in seen) || unit[row] !~ /\/s$/) return
	for (i = 1; i <= n_peers[row]; i++)
		if (peers[row, i] != "direct" && medians[row, peers[row, i]] > fastest) {
			name = peers[row, i]; fastest = medians[row, name]
		}
	if (fastest && medians[row, "direct"] < 1.3 * fastest)
		printf "    note: straight to the node is but %.2f of %s: the clients or the node are what is measured\n", \
			medians[row, "direct"] / fastest, name
}

END {
	printf "" > data
	for (i = 1; i <= n_rows; i++) {
		table(rows[i])
		headroom(rows[i])
		for (g = 1; g <= n_goals; g++) if (goal_row[g] == rows[i]) print verdict(g)
	}
	for (g = 1; g <= n_goals; g++) if (!(goal_row[g] in unit)) printf "  %s:\n%s\n", goal_row[g], verdict(g)
}
