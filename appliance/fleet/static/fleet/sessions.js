/* The live sessions page: shows what /ws/sessions/ pushes. Values from the network reach the page
   as text nodes only, never as markup. */
"use strict";

(() => {
  const root = document.getElementById("live-sessions");
  if (!root) return;
  const { age, exactly, networkOf, plural, show, write } = PostroadLive;
  const part = (name) => root.querySelector(`[data-part="${name}"]`);
  const body = part("rows");
  const template = part("row");
  const dialog = part("dialog");
  const search = part("search");

  const UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB"];   // as the other pages write them

  /* --- how values are shown ------------------------------------------------------------------ */

  const bytes = (count) => {
    let value = count, unit = 0;
    while (value >= 1024 && unit < UNITS.length - 1) { value /= 1024; unit += 1; }
    return `${unit ? value.toFixed(1) : value} ${unit || value !== 1 ? UNITS[unit] : "byte"}`;
  };

  /* --- what the operator looks at; kept in the address, so that a reload keeps it ------------- */

  const address = new URLSearchParams(window.location.search);
  const view = {
    search: address.get("q") || "",
    sort: address.get("o") || "age",
    descending: address.get("d") === "1",
    page: Math.max(1, parseInt(address.get("p"), 10) || 1),
  };
  search.value = view.search;

  const keepView = () => {
    const kept = new URLSearchParams();
    if (view.search) kept.set("q", view.search);
    if (view.sort !== "age") kept.set("o", view.sort);
    if (view.descending) kept.set("d", "1");
    if (view.page > 1) kept.set("p", String(view.page));
    const text = kept.toString();
    window.history.replaceState(null, "", text ? `?${text}` : window.location.pathname);
  };

  const askForView = () => {
    keepView();
    asked.clear();                 // a row that leaves with the old view says nothing
    send({ type: "view", ...view });
    root.querySelectorAll("[data-sort]").forEach((button) => {
      const active = button.dataset.sort === view.sort;
      button.closest("th").setAttribute(
        "aria-sort", active ? (view.descending ? "descending" : "ascending") : "none");
    });
  };

  /* --- the connection ------------------------------------------------------------------------- */

  let clockOffset = 0;

  const connection = PostroadLive.connect(root, {
    opened: () => askForView(),
    heard: (frame) => take(frame),
  });
  const send = connection.send;

  /* --- the table ------------------------------------------------------------------------------ */

  const rows = new Map();          // id of the session -> its table row
  const asked = new Map();         // id -> who it was, until the row is gone

  const makeRow = (session) => {
    const row = template.content.firstElementChild.cloneNode(true);
    row.dataset.id = String(session.id);
    row.querySelector("button").addEventListener("click", () => confirmDisconnect(row.session));
    return row;
  };

  const fillRow = (row, session) => {
    row.session = session;
    row.querySelectorAll("[data-field]").forEach((cell) => {
      const name = cell.dataset.field;
      if (name === "age") return;
      const value = session[name];
      write(cell, name.startsWith("to_") ? bytes(value)
        : name === "tls" ? value.replace("TLSv", "") : String(value));
      if (name === "state_text") cell.dataset.state = session.state;
      if (name === "user") cell.title = session.user;
    });
    const why = row.querySelector("[data-part=explain]");
    if (why) {
      const asked = { login: session.user, protocol: session.protocol, client_ip: session.client };
      why.href = `${root.dataset.explain}?${new URLSearchParams(asked)}`;
    }
    row.querySelector("[data-field=protocol]").dataset.protocol = session.protocol;
    row.classList.toggle("is-leaving", session.disconnecting);
    const button = row.querySelector("button");
    button.disabled = session.disconnecting;
    button.title = session.disconnecting ? "Disconnecting…" : "Disconnect";
    button.setAttribute("aria-label", `Disconnect ${session.user}`);
  };

  const showAges = () => {
    const now = Date.now() / 1000 + clockOffset;
    rows.forEach((row) => write(
      row.querySelector("[data-field=age]"), age(now - row.session.started_at)));
  };

  /* the server sends the order of the page, and of each session what is new of it */
  const showRows = (page) => {
    const present = new Set();
    const news = new Map(page.rows.map((session) => [session.id, session]));
    page.order.forEach((id, index) => {
      const known = rows.get(id);
      const session = { ...(known ? known.session : {}), ...(news.get(id) || { id }) };
      present.add(id);
      let row = rows.get(session.id);
      if (!row) { row = makeRow(session); rows.set(session.id, row); }
      fillRow(row, session);
      show(row.querySelector("button"), page.may_disconnect);
      if (body.children[index] !== row) body.insertBefore(row, body.children[index] || null);
      if (asked.has(session.id) && asked.get(session.id).seen && !session.disconnecting) {
        tell("failed", `${session.user} could not be disconnected: the node did not do it.`);
        asked.delete(session.id);
      } else if (asked.has(session.id) && session.disconnecting) {
        asked.get(session.id).seen = true;
      }
    });
    rows.forEach((row, id) => {
      if (present.has(id)) return;
      row.remove();
      rows.delete(id);
      if (asked.has(id)) {
        tell("done", `${asked.get(id).user} was disconnected.`);
        asked.delete(id);
      }
    });
  };

  const take = (frame) => {
    if (frame.type === "disconnecting_all") {
      if (frame.problem) tell("failed", frame.problem);
      return;
    }
    if (frame.type === "disconnecting") {
      const who = asked.get(frame.id);
      if (!frame.asked && who) {
        tell("failed", `${who.user} was not disconnected: the session had ended, or you may not.`);
        asked.delete(frame.id);
        const row = rows.get(frame.id);
        if (row) fillRow(row, { ...row.session, disconnecting: false });
      }
      return;
    }
    clockOffset = frame.now - Date.now() / 1000;
    connection.isLive();
    view.page = frame.page;
    showRows(frame);
    showAges();
    showHead(frame);
  };

  const showHead = (page) => {
    write(part("total"), page.total.toLocaleString("en"));
    write(part("to-front"), bytes(page.to_front));
    write(part("to-back"), bytes(page.to_back));
    const shown = page.order.length;
    const first = (page.page - 1) * page.page_size + 1;
    const last = first + shown - 1;
    write(part("range"), shown === page.matching
      ? plural(page.matching, "session")
      : `${first}–${last} of ${plural(page.matching, "session")}`);
    part("previous").disabled = page.page <= 1;
    part("next").disabled = page.page >= page.pages;
    show(part("paging"), page.pages > 1);
    show(part("foot"), shown > 0);
    show(part("table"), shown > 0);
    matching = page.matching;
    show(part("all"), page.may_disconnect && view.search !== "" && shown > 1);
    write(part("all"), `Disconnect these ${page.matching.toLocaleString("en")}…`);
    showProgress(page);
    show(part("waiting"), false);
    show(part("empty"), page.total === 0);
    show(part("no-node"), page.total === 0 && page.nodes === 0);
    show(part("how-to"), page.total === 0 && page.nodes > 0);
    show(part("none-found"), page.total > 0 && page.matching === 0);
    show(part("silent"), page.silent.length > 0);
    write(part("silent"), page.silent.map((node) => `Node ${node.name} is ${node.text}.`).join(" ")
      + " What is shown of silent nodes is as they last told; their sessions go on meanwhile.");
  };

  /* --- mass disconnects: what becomes of them ------------------------------------------------- */

  const jobs = new Map();
  const jobTemplate = part("job");

  const showProgress = (page) => {
    const present = new Set();
    page.disconnects.forEach((job) => {
      present.add(job.id);
      let item = jobs.get(job.id);
      if (!item) {
        item = jobTemplate.content.firstElementChild.cloneNode(true);
        item.querySelector("button").addEventListener(
          "click", () => send({ type: "stop", id: job.id }));
        part("jobs").append(item);
        jobs.set(job.id, item);
      }
      const rest = job.total - job.gone - job.failed - job.left;
      const more = [
        job.failed ? `${job.failed.toLocaleString("en")} not reached` : "",
        job.left ? `${job.left.toLocaleString("en")} left alone` : "",
        job.over ? "finished" : `${rest.toLocaleString("en")} to go`,
      ].filter(Boolean).join(", ");
      write(item.querySelector("[data-job=search]"), job.search);
      write(item.querySelector("[data-job=text]"),
        `${job.gone.toLocaleString("en")} of ${plural(job.total, "session")} gone, ${more}; asked by ${job.by}`);
      const bar = item.querySelector("progress");
      bar.max = job.total;
      bar.value = job.total - rest;
      item.classList.toggle("is-over", job.over);
      show(item.querySelector("button"), page.may_disconnect && !job.over);
    });
    jobs.forEach((item, id) => {
      if (present.has(id)) return;
      item.remove();
      jobs.delete(id);
    });
  };

  /* --- disconnecting -------------------------------------------------------------------------- */

  let chosen = null;
  let matching = 0;

  /* many are disconnected in two steps: they are looked at first */
  const offer = (which, text, label) => {
    const button = part(`offer-${which}`);
    show(button, text !== "");
    write(button, label);
    button.dataset.search = text;
  };

  const look = (text) => {
    search.value = view.search = text;
    view.page = 1;
    askForView();
  };

  dialog.querySelectorAll("[data-part^=offer]").forEach((button) => {
    button.addEventListener("click", () => { dialog.close(""); look(button.dataset.search); });
  });

  part("all").addEventListener("click", () => {
    write(part("all-title"), `Disconnect ${plural(matching, "session")}?`);
    write(part("all-search"), view.search);
    showDuration();
    part("all-dialog").showModal();
  });

  const pace = () => Number(part("all-dialog").querySelector("[name=pace]:checked").value);

  const showDuration = () => write(part("all-time"),
    `If all of them are of one mail server, this takes about ${age(Math.ceil(matching / pace()))}.`);

  part("all-dialog").addEventListener("change", showDuration);

  part("all-dialog").addEventListener("close", () => {
    const box = part("all-dialog");
    if (box.returnValue === "disconnect"
        && !send({ type: "disconnect_all", search: view.search, per_second: pace() })) {
      tell("failed", "Not sent: the connection to Postroad is lost. Try again when it is live.");
    }
    box.returnValue = "";
  });

  const confirmDisconnect = (session) => {
    chosen = session;
    write(part("dialog-user"), session.user);
    const network = networkOf(session.client);
    offer("user", exactly("user", session.user), "this user");
    offer("network", network && `client:${network}`, network);
    offer("server", exactly("server", session.backend), session.backend);
    write(part("dialog-facts"),
      `${session.protocol.toUpperCase()} from ${session.client} to ${session.backend}, node ${session.node}`);
    dialog.showModal();
  };

  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "disconnect" && chosen) {
      const session = chosen;
      if (send({ type: "disconnect", id: session.id })) {
        asked.set(session.id, { user: session.user, seen: false });
        const row = rows.get(session.id);
        if (row) fillRow(row, { ...session, disconnecting: true });
      } else {
        tell("failed", "Not sent: the connection to Postroad is lost. Try again when it is live.");
      }
    }
    dialog.returnValue = "";
    chosen = null;
  });

  const tell = PostroadLive.teller(part("note"));

  /* --- controls ------------------------------------------------------------------------------- */

  let typing = 0;
  search.addEventListener("input", () => {
    window.clearTimeout(typing);
    typing = window.setTimeout(() => {
      view.search = search.value.trim();
      view.page = 1;
      askForView();
    }, 250);
  });

  root.querySelectorAll("[data-sort]").forEach((button) => {
    button.addEventListener("click", () => {
      view.descending = view.sort === button.dataset.sort && !view.descending;
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
