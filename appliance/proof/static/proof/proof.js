/* Proof of serving: what was seen last, brought up to date while somebody looks at the page. */
"use strict";

(() => {
  const EVERY_MS = 3000;

  const renew = async () => {
    if (document.hidden) return;
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("proof"), old = document.getElementById("proof");
    if (now && old && now.innerHTML !== old.innerHTML) old.replaceWith(document.adoptNode(now));
  };

  /* the appliance may be away for a moment */
  window.setInterval(() => renew().catch(() => undefined), EVERY_MS);
})();
