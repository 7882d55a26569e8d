"use strict";
(() => {
  const filters = document.getElementById("filters");
  if (filters) {
    const cards = [...document.querySelectorAll(".miss")].map((card) => ({
      card, kinds: JSON.parse(card.dataset.kinds), slices: JSON.parse(card.dataset.slices),
    }));
    const buttons = [...filters.querySelectorAll("button")];
    const slice = document.getElementById("slice");
    const shown = document.getElementById("shown");
    let kind = "";
    const apply = () => {
      const wanted = slice ? slice.value : "";
      let n = 0;
      for (const { card, kinds, slices } of cards) {
        const visible = (!kind || kinds.includes(kind)) && (!wanted || slices.includes(wanted));
        card.hidden = !visible;
        n += visible ? 1 : 0;
      }
      for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
      shown.textContent = n === cards.length ? "" : `${n} of ${cards.length} shown`;
    };
    for (const button of buttons) button.addEventListener("click", () => { kind = button.dataset.kind; apply(); });
    if (slice) slice.addEventListener("change", apply);
    const reveal = () => {
      const target = location.hash.startsWith("#miss-") && document.getElementById(location.hash.slice(1));
      if (target && target.hidden) { kind = ""; if (slice) slice.value = ""; apply(); target.scrollIntoView(); }
    };
    window.addEventListener("hashchange", reveal);
    filters.hidden = false;
  }
  const copy = document.getElementById("copy");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(document.getElementById("again").textContent);
        copy.textContent = "Copied";
      } catch {
        window.getSelection().selectAllChildren(document.getElementById("again"));
        copy.textContent = "Selected";
      }
    });
  }
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  window.addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
})();
