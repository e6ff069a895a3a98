/* The Publish page: asks again until every node has answered, so that nobody has to reload. */
"use strict";

(() => {
  const MOST_TIMES = 120;
  const isSettled = () => document.getElementById("revision-status")?.dataset.settled === "yes";

  const renew = async () => {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelectorAll("[data-renewed], #result_list").forEach((old) => {
      const now = page.getElementById(old.id);
      if (now) old.replaceWith(document.adoptNode(now));
    });
  };

  let times = 0;
  const watch = async () => {
    if (isSettled() || times >= MOST_TIMES) return;
    times += 1;
    await renew().catch(() => undefined);      // the appliance may be away for a moment
    window.setTimeout(watch, 1000);
  };
  window.setTimeout(watch, 500);
})();
