// Shows the cells that are asked for. Without it the page shows all of them.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  const rows = [...document.querySelectorAll("#cell-table tr[data-cell]")];
  const details = new Map(
    [...document.querySelectorAll("details[data-cell]")].map((each) => [each.dataset.cell, each]),
  );
  const words = new Map();

  // What is said of a cell: not its whole section, in which every check and package has a name.
  const wordsOf = (row) => {
    const cell = row.dataset.cell;
    if (!words.has(cell)) {
      const said = details.get(cell)?.querySelectorAll(".said") ?? [];
      words.set(cell, [row, ...said].map((each) => each.textContent).join(" ").toLowerCase());
    }
    return words.get(cell);
  };

  const matches = (row, asked) =>
    Object.entries(asked).every(([name, value]) => {
      if (!value) return true;
      if (name === "text") return wordsOf(row).includes(value.trim().toLowerCase());
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
