/* What the pages of live sessions have in common: how values are written, and the connection. */
"use strict";

const PostroadLive = (() => {
  const NOT_ALLOWED = 4403;

  const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const show = (element, shown) => { element.hidden = !shown; };
  const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

  const age = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    const two = (number) => String(number).padStart(2, "0");
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))} h`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  };

  /* the search that finds exactly this */
  const exactly = (name, value) => (value.includes('"') ? "" : `${name}="${value}"`);

  const networkOf = (address) => {
    const four = address.match(/^(\d+\.\d+\.\d+)\.\d+$/);
    if (four) return `${four[1]}.0/24`;
    if (!address.includes(":") || address.startsWith("unix")) return "";
    return `${address}/64`;
  };

  const teller = (note) => {
    let timer = 0;
    return (kind, text) => {
      note.dataset.kind = kind;
      write(note, text);
      show(note, true);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => show(note, false), 8000);
    };
  };

  /* Keep a WebSocket to the path of the page; `opened` and `heard` are told. With `rests`, a page
     that nobody sees is not connected. */
  const connect = (root, { opened, heard, rests = false }) => {
    let socket = null;
    let attempts = 0;
    let everOpened = false;
    let timer = 0;

    const set = (state, text) => {
      root.dataset.connection = state;
      write(root.querySelector('[data-part="connection"]'), text);
    };

    const open = () => {
      if (rests && document.hidden) return;
      window.clearTimeout(timer);
      const scheme = window.location.protocol === "https:" ? "wss:" : "ws:";
      const mine = new WebSocket(`${scheme}//${window.location.host}${root.dataset.path}`);
      socket = mine;
      mine.onopen = () => { attempts = 0; everOpened = true; opened(); };
      mine.onmessage = (event) => heard(JSON.parse(event.data));
      mine.onclose = (event) => {
        if (socket !== mine) return;
        if (event.code === NOT_ALLOWED || (!everOpened && attempts >= 3)) {
          set("ended", "Not allowed any more. Sign in again.");
          return;
        }
        set("away", "Connection lost. Reconnecting…");
        const waitMs = Math.min(5000, 500 * 2 ** attempts) * (0.5 + Math.random() / 2);
        attempts += 1;
        timer = window.setTimeout(open, waitMs);
      };
    };

    if (rests) {
      document.addEventListener("visibilitychange", () => {
        if (!document.hidden) { if (!socket) open(); return; }
        window.clearTimeout(timer);
        const left = socket;
        socket = null;
        if (left) left.close();
      });
    }

    const send = (frame) => {
      if (!socket || socket.readyState !== WebSocket.OPEN) return false;
      socket.send(JSON.stringify(frame));
      return true;
    };

    return { open, send, isLive: () => set("live", "Live") };
  };

  return { age, connect, exactly, networkOf, plural, show, teller, write };
})();
