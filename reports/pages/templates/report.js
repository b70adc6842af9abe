"use strict";
// All of this is comfort: without it the page shows the same tables and pictures.

const number = (text) => {
  const found = text.replace("−", "-").replace(/,(?=\d{3})/g, "").match(/[-+]?\d+(\.\d+)?/);
  return found ? parseFloat(found[0]) : null;
};

// What is missing stands last, whichever way the others go.
const compared = (a, b, way) => {
  const x = number(a), y = number(b);
  const missing = (text) => text === "" || text === "–";
  if (missing(a) !== missing(b)) return missing(a) ? 1 : -1;
  if ((x === null) !== (y === null)) return x === null ? 1 : -1;
  return way * (x !== null && x !== y ? x - y : a.localeCompare(b));
};

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "descending" ? "ascending" : "descending";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", way);
      const text = (row) => row.cells[column].textContent.trim();
      const sign = way === "descending" ? -1 : 1;
      const rows = [...body.rows].sort((a, b) => compared(text(a), text(b), sign));
      body.append(...rows);
    });
  });
  const label = document.createElement("label"), field = document.createElement("input");
  label.className = "filter";
  field.type = "search";
  label.append("Rows with: ", field);
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.parentElement.before(label);
}

for (const scroll of document.querySelectorAll(".scroll")) {
  const cue = document.createElement("p");
  cue.className = "cue";
  cue.textContent = "More to the right: scroll sideways →";
  scroll.before(cue);
  const look = () => {
    cue.hidden = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft < 2;
  };
  scroll.addEventListener("scroll", look);
  new ResizeObserver(look).observe(scroll);
}

for (const choice of document.querySelectorAll("input[name=view]")) {
  choice.addEventListener("change", () => {
    for (const view of document.querySelectorAll(".picture .view")) {
      view.style.display = view.dataset.view === choice.value ? "block" : "none";
    }
  });
}

for (const set of document.querySelectorAll(".sample")) {
  const figures = [...set.querySelectorAll("figure")];
  if (figures.length < 2) continue;
  const captions = figures.map((figure) => figure.dataset.caption);
  const made = document.createElement("div"), sides = document.createElement("div");
  const stage = document.createElement("div"), under = document.createElement("div");
  const over = document.createElement("div"), edge = document.createElement("div");
  made.className = "compare";
  sides.className = "sides";
  stage.className = "stage";
  over.className = "over";
  edge.className = "edge";
  const image = figures[0].querySelector("img");
  made.style.maxWidth = `min(800px, calc(75vh * ${image.width / image.height}))`;
  const show = (place, chosen) => place.replaceChildren(figures[chosen].querySelector(".picture").cloneNode(true));
  const first = (caption, other) => captions.includes(caption) ? captions.indexOf(caption) : other;
  [["Left: ", under, first(set.dataset.left, 0)], ["Right: ", over, first(set.dataset.right, figures.length - 1)]].forEach(([word, place, first]) => {
    const label = document.createElement("label"), select = document.createElement("select");
    captions.forEach((caption, i) => select.add(new Option(caption, i, false, i === first)));
    select.addEventListener("change", () => show(place, select.value));
    label.append(word, select);
    sides.append(label);
    show(place, first);
  });
  const range = document.createElement("input");
  range.type = "range";
  range.value = 50;
  range.setAttribute("aria-label", `Where the right picture of ${set.dataset.sample} begins, in percent of the width`);
  range.addEventListener("input", () => stage.style.setProperty("--at", `${range.value}%`));
  stage.append(under, over, edge);
  made.append(sides, stage, range);
  const all = document.createElement("details"), words = document.createElement("summary");
  words.textContent = "All pictures side by side";
  const grid = set.querySelector(".pictures");
  grid.before(made, all);
  all.append(words, grid);
}
