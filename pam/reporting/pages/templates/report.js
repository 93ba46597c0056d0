"use strict";

// Which category is being read.
const links = [...document.querySelectorAll("nav a")];
const targets = links.map((link) => document.getElementById(link.hash.slice(1)));
function markCurrent() {
  const line = 120;
  const atEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 2;
  const passed = targets.filter((part) => part.getBoundingClientRect().top <= line);
  // At the end of the page the last parts stand below the line, whichever was asked for.
  const asked = atEnd && targets.find((part) => `#${part.id}` === window.location.hash);
  const visible = asked && asked.getBoundingClientRect().top >= 0;
  const last = visible ? asked : targets.at(-1);
  const current = atEnd ? last : (passed.at(-1) ?? targets[0]);
  links.forEach((link, index) => {
    if (targets[index].contains(current)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
}
document.addEventListener("scroll", markCurrent, { passive: true });
window.addEventListener("resize", markCurrent);
markCurrent();

// Sorting: ascending, then descending; what is not known stays last.
function compare(a, b, sign) {
  const [x, y] = [Number(a), Number(b)];
  if (a === "nan" || b === "nan") return (a === "nan") - (b === "nan");
  if (!Number.isNaN(x) && !Number.isNaN(y)) return sign * (x - y);
  return sign * a.localeCompare(b, "en", { numeric: true });
}
function sort(table, column, header) {
  const down = header.getAttribute("aria-sort") === "ascending";
  const order = (row) => row.cells[column].dataset.order.replace(/^inf$/, "Infinity");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => compare(order(a), order(b), down ? -1 : 1));
  table.tBodies[0].append(...rows);
  table.querySelectorAll("th").forEach((one) => one.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  table.classList.add("sorted");
}
for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    button.title = "Sort by this column";
    button.addEventListener("click", () => sort(table, column, header));
    header.replaceChildren(button);
  });
}

// Folding.
const unfold = document.getElementById("unfold");
unfold.hidden = false;
unfold.addEventListener("click", () => {
  const parts = [...document.querySelectorAll("details")];
  const open = parts.some((part) => !part.open);
  parts.forEach((part) => { part.open = open; });
  unfold.textContent = open ? "Fold all" : "Unfold all";
});

// Figures at full size.
const dialog = document.getElementById("enlarged");
for (const button of document.querySelectorAll(".zoom")) {
  button.addEventListener("click", () => {
    const [small, large] = [button.querySelector("img"), dialog.querySelector("img")];
    large.src = small.src;
    large.alt = small.alt;
    dialog.showModal();
  });
}
dialog.querySelector("button").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
