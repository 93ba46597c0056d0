"use strict";

// Sorting: ascending, then descending; what is not known stays last. And searching.
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
function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = element("button", { type: "button", title: "Sort by this column" });
    button.append(...header.childNodes);
    button.addEventListener("click", () => sort(table, column, header));
    header.replaceChildren(button);
  });
  const search = element("input", { type: "search", placeholder: "search" });
  search.setAttribute("aria-label", `Search in ${table.dataset.title || "the table"}`);
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const row of table.tBodies[0].rows) {
      // A blank cell repeats the one above it.
      const text = [...row.cells].map((cell) => cell.dataset.order + " " + cell.textContent);
      row.hidden = !words.every((word) => text.join(" ").toLowerCase().includes(word));
    }
    table.classList.toggle("sorted", search.value !== "");
  });
  table.parentElement.before(search);
}
document.querySelectorAll("table.sortable").forEach(makeSortable);

// The explorer: what was chosen picks rows, and Vega-Lite draws them.
const form = document.getElementById("choices");
const views = {};

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  for (const [name, table] of Object.entries(data)) {
    if (!table.rows) continue;
    data[name] = table.rows.map((row) =>
      Object.fromEntries(row.map((value, index) => [table.columns[index], value])));
  }
  return data;
}

function quoted(word) {
  return /^[\w./:=@%+,-]+$/.test(word) ? word : `'${word}'`;
}

function start(data) {
  const chosen = (name) => form.elements[name].value;
  const experiment = () => data.experiments[chosen("experiment")];
  const fill = (name, options) => {
    const before = chosen(name);
    const made = options.map(([value, label]) => element("option", { value, textContent: label }));
    form.elements[name].replaceChildren(...made);
    if (options.some(([value]) => String(value) === before)) form.elements[name].value = before;
  };
  const mergers = () => [...form.querySelectorAll("[name=merging]:checked")].map((box) => box.value);

  function fillChoices() {
    const here = experiment();
    fill("pruning", Object.entries(here.prunings));
    const names = here.combinations;
    fill("combination", names.map((name) => [name, name.replaceAll("&", " & ")]));
    if (!form.dataset.filled) form.elements.combination.value = names.at(-1);
    const deltas = [...new Set(data.costs.filter((row) => row.experiment === chosen("experiment"))
      .map((row) => row.delta))].sort((a, b) => a - b);
    fill("delta", deltas.map((value) => [value, `${value} points`]));
    if (!form.dataset.filled) form.elements.delta.value = data.delta;
    form.dataset.filled = "yes";
    const boxes = Object.entries(here.mergings).map(([value, label]) => {
      const mark = element("span", { className: "mark" });
      mark.style.background = here.colours[label];
      const box = element("input", { type: "checkbox", name: "merging", value, checked: true });
      return element("label", {}, box, mark, label);
    });
    document.getElementById("mergings").replaceChildren(...boxes);
  }

  const readings = {
    ok: "read from the fitted curves",
    bound: "at most: the cheapest network measured is still this accurate",
    "not reached": "not reached by every seed",
    failed: "not measured",
  };
  const million = (value) => (value === null ? null : value / 1e6);
  function command(row) {
    const path = (pattern) => pattern.replace(/\{(\w+)\}/g, (_, axis) => row[axis]);
    return `pam export --network ${path(data.network)} --strength ${row.strength}`
      + ` --combination ${quoted(row.combination)} --format onnx --data ${path(data.data)} --out exported`;
  }

  function chosenRows() {
    const here = experiment();
    const on = new Set(mergers());
    const place = (row) => row.experiment === chosen("experiment") && on.has(row.merging);
    const delta = Number(chosen("delta"));
    const validation = chosen("part") === "validation";
    const named = (row) => ({ ...row, merger: here.mergings[row.merging] });
    const networks = data.networks
      .filter((row) => place(row) && row.pruning === chosen("pruning")
        && row.combination === chosen("combination"))
      .map((row) => ({
        ...named(row), mflops: million(row.flops), command: command(row),
        lost: validation ? row.validation_drop : row.accuracy_drop,
      }));
    const limit = Math.max(4, 3 * delta);
    const seen = form.elements.all.checked ? networks : networks.filter((row) => row.lost <= limit);
    const costs = data.costs
      .filter((row) => place(row) && row.pruning === chosen("pruning") && row.delta === delta
        && row.requirement === chosen("requirement"))
      .map((row) => ({
        ...named(row), mflops: million(row.flops_mean), low: million(row.flops_low),
        high: million(row.flops_high), sign: row.status === "bound" ? "≤" : "", top: million(row.flops_high ?? row.flops_mean),
        reading: readings[row.status],
      }));
    // Of many combinations those of a size stand for theirs, beside the one that was chosen.
    const few = here.combinations.length <= 3;
    const shown = costs.filter((row) => row.combination === chosen("combination")
      || (few ? !/ task/.test(row.combination) : !here.combinations.includes(row.combination)));
    const order = (row) => (/^any/.test(row.combination) ? 2 : / task/.test(row.combination) ? 1 : 0);
    shown.sort((a, b) => order(a) - order(b));
    const known = shown.filter((row) => row.mflops !== null);
    const ratios = (base) => shown
      .filter((row) => row[`flops_vs_${base}_mean`] !== null && row.merging !== base)
      .map((row) => ({
        ...row, ratio: row[`flops_vs_${base}_mean`], low: row[`flops_vs_${base}_low`],
        high: row[`flops_vs_${base}_high`], p: row[`flops_vs_${base}_p`],
      }));
    const groups = data.groups
      .filter((row) => place(row) && row.delta === delta
        && row.pruning === (chosen("stage") === "merged" ? "" : chosen("pruning")))
      .map((row) => ({
        ...named(row), label: here.groups[row.group],
        place: Object.keys(here.groups).indexOf(row.group),
      }));
    const read = costs.filter((row) =>
      row.combination === chosen("combination") && row.status === "ok" && validation);
    const missing = shown.filter((row) => row.mflops === null).map((row) =>
      `${row.merger}, ${row.combination}: ${row.reading} (${row.crossed} of ${row.n})`);
    const gaps = data.gaps.filter((row) =>
      place(row) && row.pruning === chosen("pruning") && row.delta === delta);
    return {
      networks: seen, left: networks.length - seen.length, costs: known, read, groups,
      ratios_none: ratios("none"), ratios_mtz: ratios("mtz"),
      level: [{ delta }], one: [{ ratio: 1 }], missing, gaps: gaps.map((row) => row.text),
    };
  }

  function show(row) {
    document.getElementById("network").textContent =
      `${row.merger}, seed ${row.seed}, strength ${row.strength}: ${row.mflops.toPrecision(4)} MFLOPs, `
      + `${(100 * row.accuracy).toFixed(2)} % on test, ${(100 * row.validation_accuracy).toFixed(2)} % on validation data`;
    document.getElementById("command").textContent = row.command;
  }

  function listNetworks(rows) {
    const head = ["merger", "seed", "strength", "MFLOPs", "test accuracy (%)",
      "validation accuracy (%)", "points lost", "command"];
    const cells = (row) => [row.merger, row.seed, row.strength, row.mflops, 100 * row.accuracy,
      100 * row.validation_accuracy, row.lost];
    const lines = rows.map((row) => {
      const button = element("button", { type: "button", textContent: "show" });
      button.setAttribute("aria-label", `Show the command for ${row.merger}, seed ${row.seed}, strength ${row.strength}`);
      button.addEventListener("click", () => show(row));
      const made = cells(row).map((value, index) => {
        const digits = [0, 0, 0, 4, 2, 2, 2][index];
        const text = index > 2 ? value.toFixed(digits) : String(value);
        const cell = element("td", { textContent: text, className: index ? "number" : "word" });
        cell.dataset.order = value;
        return cell;
      });
      const last = element("td", {}, button);
      last.dataset.order = "";
      return element("tr", {}, ...made, last);
    });
    const table = element("table", { className: "sortable" },
      element("thead", {}, element("tr", {}, ...head.map((name, index) =>
        element("th", { scope: "col", textContent: name, className: index ? "number" : "" })))),
      element("tbody", {}, ...lines));
    table.dataset.title = "the networks";
    const region = element("div", { className: "scroll", tabIndex: 0, role: "region" }, table);
    region.setAttribute("aria-label", "Networks");
    document.getElementById("networks").replaceChildren(region);
    makeSortable(table);
  }

  const list = (id, lines) => {
    document.getElementById(id).replaceChildren(
      ...lines.map((line) => element("li", { textContent: line })));
  };

  async function draw() {
    const rows = chosenRows();
    const here = experiment();
    list("gaps", rows.gaps);
    list("missing", rows.missing);
    document.getElementById("left").textContent = rows.left
      ? `${rows.left} networks that lost more are not shown.` : "";
    listNetworks(rows.networks);
    for (const [name, spec] of Object.entries(here.charts)) {
      const box = document.getElementById(`chart-${name}`);
      const wide = box.clientWidth;
      const fitted = { ...spec, datasets: rows };
      fitted.config = { ...spec.config,
        legend: { ...spec.config.legend, columns: Math.max(1, Math.floor(wide / 170)) } };
      if (name.startsWith("ratios")) {
        const places = new Set(rows[name].map((row) => row.combination));
        fitted.height = Math.max(60, 12 * places.size * mergers().length);
      }
      if (name === "groups") fitted.columns = Math.max(1, Math.floor((wide - 20) / 330));
      box.parentElement.hidden = rows[name === "frontier" ? "networks" : name].length === 0;
      if (box.parentElement.hidden) continue;
      const made = await vegaEmbed(box, fitted, {
        renderer: "svg", actions: { export: true, source: false, compiled: false, editor: false },
      });
      box.querySelector("summary")?.setAttribute("aria-label", "Save this chart as a picture");
      views[name]?.finalize();
      views[name] = made.view;
      if (name !== "frontier") continue;
      made.view.addEventListener("mouseover", (_, item) => {
        if (item?.datum?.command) show(item.datum);
      });
    }
    document.getElementById("explorer").dataset.drawn = String(Number(
      document.getElementById("explorer").dataset.drawn || 0) + 1);
  }

  // One drawing at a time; what was chosen meanwhile is drawn after it.
  let running = Promise.resolve();
  const redraw = () => { running = running.then(draw); };
  fill("experiment", Object.entries(data.experiments).map(([name, one]) => [name, `${name}: ${one.title}`]));
  fillChoices();
  form.addEventListener("change", (event) => {
    if (event.target.name === "experiment") { delete form.dataset.filled; fillChoices(); }
    redraw();
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (Math.abs(window.innerWidth - width) > 40) { width = window.innerWidth; redraw(); }
  });
  document.getElementById("copy").addEventListener("click", () => {
    navigator.clipboard?.writeText(document.getElementById("command").textContent);
  });
  redraw();
}

if (form) {
  form.addEventListener("submit", (event) => event.preventDefault());
  unpacked(document.getElementById("data").textContent).then(start);
}
