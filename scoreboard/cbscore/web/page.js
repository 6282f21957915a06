/* SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";

// Replaces the middle of the page by that of a freshly fetched page. So only the server knows how the page looks.
const live = document.getElementById("live");
const stale = document.getElementById("stale");
const pauseLeast = 2000;
let heard = Date.now();

async function refresh() {
	const begun = Date.now();
	try {
		const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(10000) });
		if (!answer.ok && answer.status !== 503)
			throw new Error(String(answer.status));
		const page = new DOMParser().parseFromString(await answer.text(), "text/html");
		const next = page.getElementById("live");
		if (next && next.innerHTML !== live.innerHTML)
			live.replaceChildren(...next.childNodes);
		stale.textContent = "";
		heard = Date.now();
	} catch {
		stale.textContent = "No answer for " + Math.round((Date.now() - heard) / 1000) + " s; what you see is old.";
	}
	// If the answer takes long, the page asks less often.
	setTimeout(whenSeen, Math.max(pauseLeast, 10 * (Date.now() - begun)));
}

function whenSeen() {
	if (document.hidden)
		document.addEventListener("visibilitychange", whenSeen, { once: true });
	else
		refresh();
}

setTimeout(whenSeen, pauseLeast);
