"use strict";
(() => {
  for (const table of document.querySelectorAll(".sortable")) {
    const heads = [...table.querySelectorAll("thead th")];
    const body = table.tBodies[0];
    const sort = (place, head) => {
      const turned = head.getAttribute("aria-sort") === "ascending";
      const keys = new Map([...body.rows].map((row) => [row, row.cells[place].dataset.value]));
      const numeric = head.dataset.sort !== "text" && [...keys.values()].every((key) => key === "" || !Number.isNaN(Number(key)));
      const compare = (a, b) => (numeric ? Number(a) - Number(b) : a.localeCompare(b));
      const rows = [...body.rows].sort((one, two) => {
        const [a, b] = [keys.get(one), keys.get(two)];
        if (a === "" || b === "") return (a === "") - (b === "");
        return turned ? compare(b, a) : compare(a, b);
      });
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", turned ? "descending" : "ascending");
      body.append(...rows);
    };
    heads.forEach((head, place) => {
      if (!head.dataset.sort) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(place, head));
      head.append(button);
    });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        window.getSelection().selectAllChildren(text);
        button.textContent = "Selected";
      }
    });
  }
})();
