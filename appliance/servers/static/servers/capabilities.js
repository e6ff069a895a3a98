/* The page of a server block: suggests to a capability the registered names of its protocol. */
"use strict";

document.addEventListener("focusin", (event) => {
  const field = event.target;
  if (!/^capabilities-\d+-text$/.test(field.name ?? "")) return;
  const protocol = document.getElementById("id_protocol")?.value;
  if (protocol) field.setAttribute("list", `capabilities-${protocol}`);
});
