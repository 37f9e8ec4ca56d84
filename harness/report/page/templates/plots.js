// Shows the values of a row or mark of a plot below the plot: where it is tapped, focused or reached by the arrow keys.
// A pointer above it sees the same values, which are its title.
(() => {
  "use strict";
  const tell = (figure, title) => {
    figure.querySelector(".current")?.classList.remove("current");
    title.parentElement.classList.add("current");
    figure.querySelector("output").textContent = title.textContent;
  };

  const tellNext = (figure, step) => {
    const titles = [...figure.querySelectorAll("tr:not([hidden]) title, .plot title")];
    if (!titles.length) return;
    const now = titles.indexOf(figure.querySelector(".current > title"));
    const next = titles.at(now < 0 ? 0 : (now + step) % titles.length);
    tell(figure, next);
    next.parentElement.scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("click", ({ target }) => {
    const title = (target.closest(".rows tbody tr") ?? target).querySelector("title");
    if (title && target.closest("figure") && !target.matches(".plot")) tell(target.closest("figure"), title);
  });
  document.addEventListener("focusin", ({ target }) => {
    if (target.matches("figure > [tabindex]:focus-visible")) tellNext(target.parentElement, 0);
  });
  document.addEventListener("keydown", (event) => {
    const figure = document.activeElement.closest("figure");
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!figure || !step) return;
    tellNext(figure, step);
    event.preventDefault();
  });
})();
