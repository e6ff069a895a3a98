/* The Publish page: has the nodes check the draft, and asks again until every node has answered. */
"use strict";

(() => {
  const MOST_TIMES = 120;
  const element = (id) => document.getElementById(id);
  const isSettled = (id) => (element(id)?.dataset.settled ?? "yes") === "yes";

  const renew = async () => {
    const answer = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelectorAll("[data-renewed], #result_list").forEach((old) => {
      const now = page.getElementById(old.id);
      if (now) old.replaceWith(document.adoptNode(now));
    });
  };

  /* whoever may publish has the nodes look at the draft by looking at it */
  const ask = async () => {
    const form = element("check-button")?.form;
    if (!form || element("verdicts").dataset.asked === "yes") return;
    const said = new FormData(form);
    said.delete("again");
    await fetch(form.action, { method: "POST", body: said, redirect: "manual" });
  };

  const holdButton = () => {
    const button = element("publish-button");
    if (button) button.disabled = !isSettled("verdicts") && times < MOST_TIMES;
  };

  let times = 0;
  const watch = async () => {
    holdButton();
    if ((isSettled("revision-status") && isSettled("verdicts")) || times >= MOST_TIMES) return;
    times += 1;
    await renew().catch(() => undefined);      // the appliance may be away for a moment
    holdButton();
    window.setTimeout(watch, 1000);
  };
  holdButton();
  ask().catch(() => undefined).finally(() => window.setTimeout(watch, 300));
})();
