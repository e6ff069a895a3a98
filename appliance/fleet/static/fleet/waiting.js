/* The page of sessions before login: shows what /ws/waiting/ pushes. Values from the network reach
   the page as text nodes only, never as markup. */
"use strict";

(() => {
  const root = document.getElementById("waiting-sessions");
  if (!root) return;
  const { age, exactly, plural, show, write } = PostroadLive;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const search = part("search");
  const dialog = part("dialog");
  const tell = PostroadLive.teller(part("note"));

  /* --- what the operator looks at; kept in the address ----------------------------------------- */

  const address = new URLSearchParams(window.location.search);
  const view = {
    search: address.get("q") || "",
    sort: address.get("o") || "age",
    descending: address.get("d") !== "0",
    page: Math.max(1, parseInt(address.get("p"), 10) || 1),
  };
  search.value = view.search;

  const askForView = () => {
    const kept = new URLSearchParams();
    if (view.search) kept.set("q", view.search);
    if (view.sort !== "age") kept.set("o", view.sort);
    if (!view.descending) kept.set("d", "0");
    if (view.page > 1) kept.set("p", String(view.page));
    const text = kept.toString();
    window.history.replaceState(null, "", text ? `?${text}` : window.location.pathname);
    connection.send({ type: "view", ...view });
    root.querySelectorAll("[data-sort]").forEach((button) => {
      const active = button.dataset.sort === view.sort;
      button.closest("th").setAttribute(
        "aria-sort", active ? (view.descending ? "descending" : "ascending") : "none");
    });
  };

  const look = (text) => {
    search.value = view.search = text;
    view.page = 1;
    askForView();
  };

  /* --- the table ------------------------------------------------------------------------------- */

  let clockOffset = 0;
  const rows = new Map();          // id of the session -> its table row

  const fillRow = (row, session) => {
    row.session = session;
    row.querySelectorAll("[data-field]").forEach((cell) => {
      const name = cell.dataset.field;
      if (name === "age") return;
      write(cell, name === "tls" ? session.tls.replace("TLSv", "") : String(session[name]));
    });
    row.querySelector("[data-field=user]").title = session.user;
    row.querySelector("[data-field=state_text]").dataset.state = session.standing;
    row.querySelector("[data-field=protocol]").dataset.protocol = session.protocol;
    row.querySelector("button").setAttribute(
      "aria-label", `Disconnect ${session.user || session.client}`);
  };

  const showRows = (page) => {
    const body = part("rows");
    const present = new Set();
    page.rows.forEach((session, index) => {
      present.add(session.id);
      let row = rows.get(session.id);
      if (!row) {
        row = part("row").content.firstElementChild.cloneNode(true);
        row.querySelector("button").addEventListener("click", () => askAboutOne(row.session));
        rows.set(session.id, row);
      }
      fillRow(row, session);
      show(row.querySelector("button"), page.may_disconnect);
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] || null);
    });
    rows.forEach((row, id) => {
      if (present.has(id)) return;
      row.remove();
      rows.delete(id);
    });
  };

  const showAges = () => {
    const now = Date.now() / 1000 + clockOffset;
    rows.forEach((row) => write(
      row.querySelector("[data-field=age]"), age(now - row.session.started_at)));
  };

  /* --- the panels ------------------------------------------------------------------------------- */

  /* each: {key, text, count, note, search, end}; rows are kept, so that a click finds its button */
  const showList = (list, items) => {
    const known = new Map([...list.children].map((item) => [item.dataset.key, item]));
    const most = Math.max(1, ...items.map((one) => one.count || 0));
    items.forEach((one, index) => {
      const item = known.get(one.key) || part("item").content.firstElementChild.cloneNode(true);
      known.delete(one.key);
      item.dataset.key = one.key;
      const [link, end] = item.querySelectorAll("button");
      write(link, one.text);
      link.onclick = () => look(one.search);
      item.querySelector(".live-bar-of span").style.width = `${(100 * (one.count || 0)) / most}%`;
      write(item.querySelector("b"), one.note || (one.count === null ? "–" : one.count.toLocaleString("en")));
      show(end, Boolean(one.end));
      end.onclick = one.end || null;
      end.setAttribute("aria-label", `Disconnect ${one.text}`);
      link.title = one.text;
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] || null);
    });
    known.forEach((item) => item.remove());
  };

  const showPanels = (page) => {
    showList(part("states"), page.states.map((one) => ({
      key: one.state, text: one.text, count: one.count, search: `state:${one.state}`,
    })));
    showList(part("addresses"), page.addresses.map((one) => ({
      key: one.address,
      text: one.address,
      count: one.count,
      search: one.address.includes("/") ? one.address : `client=${one.address}`,
      end: page.may_disconnect ? () => askAboutAddress(one.address, one.count) : null,
    })));
    showList(part("nodes"), page.nodes.map((one) => ({
      key: one.name, text: one.name, count: one.count,
      note: one.note && one.count !== null ? `${one.count.toLocaleString("en")} (${one.note})` : one.note,
      search: exactly("node", one.name),
    })));
  };

  const showPage = (page) => {
    const answered = page.nodes.length === 0 || page.nodes.some((one) => one.count !== null);
    write(part("total"), answered ? page.total.toLocaleString("en") : "–");
    showRows(page);
    showAges();
    showPanels(page);
    const shown = page.rows.length;
    const first = (page.page - 1) * page.page_size + 1;
    const found = shown === page.matching ? plural(page.matching, "session")
      : `${first}–${first + shown - 1} of ${plural(page.matching, "session")}`;
    const listed = page.described < page.total
      ? `; ${page.described.toLocaleString("en")} of all ${page.total.toLocaleString("en")} are listed: the oldest, and few of each address`
      : "";
    write(part("range"), found + listed);
    part("previous").disabled = page.page <= 1;
    part("next").disabled = page.page >= page.pages;
    show(part("paging"), page.pages > 1);
    show(part("foot"), shown > 0);
    show(part("table"), shown > 0);
    show(part("panels"), page.nodes.length > 0);
    show(part("waiting"), !answered);
    show(part("empty"), answered && page.total === 0);
    show(part("none-found"), page.total > 0 && page.matching === 0);
  };

  /* --- disconnecting ----------------------------------------------------------------------------- */

  let chosen = null;

  const ask = (frame, title, facts, meaning) => {
    chosen = { frame, title };
    write(part("dialog-title"), `Disconnect ${title}?`);
    write(part("dialog-facts"), facts);
    write(part("dialog-meaning"), meaning);
    dialog.showModal();
  };

  const askAboutOne = (session) => ask(
    { type: "disconnect", node: session.node_id, session: session.session },
    session.user || session.client,
    `${session.protocol.toUpperCase()} from ${session.client}, ${session.state_text.toLowerCase()}, node ${session.node}`,
    "The connection is closed at once. The client may come back right away.");

  const askAboutAddress = (from, count) => ask(
    { type: "turn_away", address: from },
    `all of ${from}`,
    `${plural(count, "session")} before login, at every node. Who has logged in from there stays.`,
    "The connections are closed now. New ones are taken: a limit for each address is set under "
    + "Node processes (prelogin sessions per address).");

  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "disconnect" && chosen && !connection.send(chosen.frame)) {
      tell("failed", "Not sent: the connection to Postroad is lost. Try again when it is live.");
    }
    dialog.returnValue = "";
  });

  const ended = (frame) => {
    const what = chosen ? chosen.title : "it";
    if (frame.asked) tell("done", `Disconnecting ${what}. The list shows it in a few seconds.`);
    else tell("failed", `Nothing was disconnected: ${what} had gone, or you may not.`);
  };

  /* --- the connection and the controls ------------------------------------------------------------ */

  const connection = PostroadLive.connect(root, {
    rests: true,
    opened: () => askForView(),
    heard: (frame) => {
      if (frame.type === "ended") { ended(frame); return; }
      clockOffset = frame.now - Date.now() / 1000;
      connection.isLive();
      view.page = frame.page;
      showPage(frame);
    },
  });

  let typing = 0;
  search.addEventListener("input", () => {
    window.clearTimeout(typing);
    typing = window.setTimeout(() => look(search.value.trim()), 250);
  });

  root.querySelectorAll("[data-sort]").forEach((button) => {
    button.addEventListener("click", () => {
      view.descending = view.sort === button.dataset.sort ? !view.descending : false;
      view.sort = button.dataset.sort;
      view.page = 1;
      askForView();
    });
  });
  part("previous").addEventListener("click", () => { view.page -= 1; askForView(); });
  part("next").addEventListener("click", () => { view.page += 1; askForView(); });

  window.setInterval(showAges, 1000);
  connection.open();
})();
