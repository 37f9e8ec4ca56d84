// Filters the cells, and shows the chosen one beside the map. Without the script the page shows all of it.
// The fragment of the address holds both: #cell-3 is a cell, and #cell-3?text=nan a filter, too.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  const panel = document.getElementById("panel");
  const rows = [...document.querySelectorAll("#cell-table tr[data-cell]")];
  const slots = new Map([...document.querySelectorAll("a.slot")].map((each) => [each.dataset.cell, each]));
  const texts = new Map();

  const readAddress = () => {
    const [anchor, query = ""] = decodeURIComponent(location.hash.slice(1)).split("?");
    return { anchor, asked: new URLSearchParams(query) };
  };

  const writeAddress = (anchor, asked, method) => {
    const query = asked.toString();
    history[method](null, "", `#${anchor}${query && `?${query}`}`);
  };

  // The searchable text of a cell: its visible texts, without the lists of all checks and packages.
  const textOf = (row) => {
    const cell = row.dataset.cell;
    if (!texts.has(cell)) {
      const searchable = document.getElementById(`cell-${cell}`)?.querySelectorAll(".searchable") ?? [];
      const parts = [row, slots.get(cell), ...searchable].map((each) => each?.textContent ?? "");
      texts.set(cell, parts.join(" ").toLowerCase());
    }
    return texts.get(cell);
  };

  const matches = (row, asked) =>
    [...asked].every(([name, value]) => {
      if (name === "text") return textOf(row).includes(value.trim().toLowerCase());
      return row.getAttribute(`data-${name}`) === value;
    });

  const filter = (asked) => {
    const kept = new Set(rows.filter((row) => matches(row, asked)).map((row) => row.dataset.cell));
    for (const each of document.querySelectorAll("[data-cell]")) {
      const out = !kept.has(each.dataset.cell);
      if (each.classList.contains("slot")) each.classList.toggle("out", out);
      else each.hidden = out;
    }
    for (const each of document.querySelectorAll("[data-cells]")) {
      each.hidden = !each.dataset.cells.split(" ").some((cell) => kept.has(cell));
    }
    const all = kept.size === rows.length ? `all ${rows.length} cells` : `${kept.size} of ${rows.length} cells`;
    form.querySelector("output").textContent = kept.size ? all : "nothing matches: clear the filter";
  };

  const askedByForm = () =>
    new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));

  const fillForm = (asked) => {
    for (const each of form.elements) if (each.name) each.value = asked.get(each.name) ?? "";
  };

  // The cell in the panel goes back to its place before another one comes.
  const putBack = () => {
    const cell = panel.querySelector(".cell");
    if (cell) document.querySelector(`details[data-cell="${cell.id.slice(5)}"]`).append(cell);
    document.querySelector(".slot[aria-current]")?.removeAttribute("aria-current");
    panel.hidden = true;
  };

  const showCell = (cell) => {
    const slot = slots.get(cell.id.slice(5));
    panel.append(cell);
    panel.querySelector("strong").textContent = slot.title;
    panel.hidden = false;
    slot.setAttribute("aria-current", "true");
    panel.scrollTop = 0;
    document.getElementById("map").scrollIntoView();
    panel.querySelector("button").focus({ preventScroll: true });
  };

  const showTarget = (target) => {
    for (let each = target.closest("details"); each; each = each.parentElement.closest("details")) {
      each.hidden = false;
      each.open = true;
    }
    target.scrollIntoView();
  };

  const follow = () => {
    const { anchor, asked } = readAddress();
    putBack();
    if (form && rows.length > 1) {
      fillForm(asked);
      filter(askedByForm());
    }
    const target = anchor && document.getElementById(anchor);
    if (!target) return;
    if (target.classList.contains("cell") && slots.has(anchor.slice(5))) showCell(target);
    else showTarget(target);
  };

  const close = () => {
    const slot = document.querySelector(".slot[aria-current]");
    writeAddress("map", readAddress().asked, "pushState");
    putBack();
    slot?.focus();
  };

  if (form && rows.length > 1) {
    form.addEventListener("input", () => {
      writeAddress(readAddress().anchor, askedByForm(), "replaceState");
      filter(askedByForm());
    });
    form.addEventListener("reset", () =>
      setTimeout(() => {
        writeAddress(readAddress().anchor, new URLSearchParams(), "replaceState");
        filter(new URLSearchParams());
      }),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = false;
  }
  for (const [cell, slot] of slots) {
    slot.addEventListener("click", (event) => {
      event.preventDefault(); // the fragment of the link has no filter
      writeAddress(`cell-${cell}`, readAddress().asked, "pushState");
      follow();
    });
  }
  panel?.querySelector("button").addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && panel && !panel.hidden) close();
  });
  window.addEventListener("beforeprint", () => panel && putBack());
  window.addEventListener("popstate", follow);
  window.addEventListener("hashchange", follow);
  follow();
})();
