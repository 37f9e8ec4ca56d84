// Shows the cells that match the filter. Without the script the page shows all cells.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#cell-table tr[data-cell]")];
  const details = new Map(
    [...document.querySelectorAll("details[data-cell]")].map((each) => [each.dataset.cell, each]),
  );
  const texts = new Map();

  // The searchable text of a cell: its visible texts, without the lists of all checks and packages.
  const textOf = (row) => {
    const cell = row.dataset.cell;
    if (!texts.has(cell)) {
      const searchable = details.get(cell)?.querySelectorAll(".searchable") ?? [];
      texts.set(cell, [row, ...searchable].map((each) => each.textContent).join(" ").toLowerCase());
    }
    return texts.get(cell);
  };

  const matches = (row, asked) =>
    Object.entries(asked).every(([name, value]) => {
      if (!value) return true;
      if (name === "text") return textOf(row).includes(value.trim().toLowerCase());
      return row.getAttribute(`data-${name}`) === value;
    });

  const apply = () => {
    const asked = Object.fromEntries(new FormData(form));
    const kept = new Set(rows.filter((row) => matches(row, asked)).map((row) => row.dataset.cell));
    for (const each of document.querySelectorAll("[data-cell]")) {
      const out = !kept.has(each.dataset.cell);
      if (each.classList.contains("slot")) each.classList.toggle("out", out);
      else each.hidden = out;
    }
    form.querySelector("output").textContent =
      kept.size === rows.length ? `all ${rows.length} cells` : `${kept.size} of ${rows.length} cells`;
  };

  // A link that is followed shows its cell, whatever is filtered, in browsers too that open nothing themselves.
  const open = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let each = target.closest("details"); each; each = each.parentElement.closest("details")) {
      each.hidden = false;
      each.open = true;
    }
    target.scrollIntoView();
  };

  if (form && rows.length > 1) {
    form.addEventListener("input", apply);
    form.addEventListener("reset", () => setTimeout(apply));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
    apply();
  }
  window.addEventListener("hashchange", open);
  open();
})();
