/* Charts are drawn by the server. Here: values under the pointer, and looking again from time to
   time. Names come from the network and reach the page as text only. */
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  /* --- under the pointer ---------------------------------------------------------------------- */

  let tip = null, cursor = null, at = null;

  const leave = () => { tip?.remove(); cursor?.remove(); tip = cursor = at = null; };

  const point = (event) => {
    const svg = event.target.closest?.(".chart-svg");
    if (!svg) { leave(); return; }
    const data = (svg.chart ??= JSON.parse(svg.dataset.chart));
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const x = (event.clientX - box.left) * scale;
    const count = data.times.length;
    const wide = (data.right - data.left) / Math.max(1, count - 1);
    const index = Math.round((x - data.left) / wide);
    if (index < 0 || index >= count) { leave(); return; }
    if (at && at.svg === svg && at.index === index) return;
    leave();
    at = { svg, index };
    const place = data.left + index * wide;
    cursor = document.createElementNS(SVG, "line");
    for (const [key, value] of Object.entries({ class: "chart-cursor", x1: place, x2: place, y1: data.top, y2: data.bottom })) {
      cursor.setAttribute(key, value);
    }
    svg.append(cursor);
    tip = element("div", "chart-tip");
    tip.append(element("p", "", data.times[index]));
    data.lines.forEach(([name, values], number) => {
      const row = element("div");
      const label = element("span");
      label.append(element("span", `chart-key chart-c${number}`), name);
      row.append(label, element("b", "", values[index]));
      tip.append(row);
    });
    svg.parentElement.append(tip);
    const left = place / scale;
    const room = box.width - left > tip.offsetWidth + 16;
    tip.style.left = `${room ? left + 10 : Math.max(0, left - tip.offsetWidth - 10)}px`;
  };

  document.addEventListener("pointermove", point);
  document.addEventListener("pointerleave", leave);

  /* --- looking again -------------------------------------------------------------------------- */

  for (const root of document.querySelectorAll("[data-refresh][data-part]")) {
    const wait = Number(root.dataset.refresh) * 1000;
    const look = async () => {
      if (!document.hidden) {
        try {
          const answer = await fetch(root.dataset.part, { credentials: "same-origin" });
          if (answer.ok && !answer.redirected) {
            const text = await answer.text();
            if (!at || !root.contains(at.svg)) root.innerHTML = text;   // escaped by the server
          }
        } catch { /* the next one will */ }
      }
      setTimeout(look, wait);
    };
    setTimeout(look, wait);
  }
})();
