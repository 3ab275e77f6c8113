// Filter, search and sort. Without this the page shows every row, the most urgent first.
(() => {
  "use strict";
  const form = document.querySelector(".controls");
  if (!form) return;
  const body = document.querySelector("tbody");
  const headings = [...document.querySelectorAll("thead th")];
  const urgency = ["critical", "warning", "ok"];
  const rows = [...body.rows].map((element, place) => ({ element, place, status: element.dataset.status }));
  const collator = new Intl.Collator("en", { numeric: true });
  const sorting = { column: 0, direction: "ascending" };

  const text = (row) => (row.text ??= row.element.textContent.toLowerCase().replace(/\s+/g, " "));

  // What a column is sorted by: urgency (the order of the page), the moment of the end, or text.
  const key = (row, column) => {
    if (column === 0) return urgency.indexOf(row.status);
    const cell = row.element.cells[column];
    return column === 1 ? cell.querySelector("time").dateTime : cell.querySelector(".name, bdi").textContent;
  };

  const sortBy = (column, direction) => {
    const isSorted = sorting.column === column && sorting.direction === direction;
    Object.assign(sorting, { column, direction });
    if (!isSorted) sort();
    headings.forEach((heading, index) => {
      if (index === column) heading.setAttribute("aria-sort", direction);
      else heading.removeAttribute("aria-sort");
    });
  };

  const sort = () => {
    const { column, direction } = sorting;
    const sign = direction === "ascending" ? 1 : -1;
    const compare = column < 2 ? (a, b) => (a > b) - (a < b) : collator.compare;
    const keyed = rows.map((row) => [key(row, column), row]);
    keyed.sort(([a, first], [b, second]) => sign * compare(a, b) || first.place - second.place);
    body.append(...keyed.map(([, row]) => row.element));
  };

  // Fingerprints and serials are found with their colons, too.
  const fits = (row, word) => text(row).includes(word) || (/^[0-9a-f]{2}(:[0-9a-f]{2})+$/.test(word) && text(row).includes(word.replaceAll(":", "")));

  const filter = () => {
    const status = form.elements.status.value;
    const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.element.hidden = Boolean(status && row.status !== status) || !words.every((word) => fits(row, word));
      shown += row.element.hidden ? 0 : 1;
    }
    form.querySelector("[role=status]").textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  };

  // The view stands in the address, so that it can be bookmarked and sent to somebody.
  const remember = () => {
    const view = new URLSearchParams();
    const { status, search } = form.elements;
    if (status.value) view.set("status", status.value);
    if (search.value) view.set("search", search.value);
    if (sorting.column || sorting.direction !== "ascending") {
      view.set("sort", headings[sorting.column].textContent.toLowerCase());
      view.set("order", sorting.direction);
    }
    try {
      history.replaceState(null, "", `#${view}`);
    } catch {
      // A viewer of attachments may not let pages do so.
    }
  };

  const recall = () => {
    const view = new URLSearchParams(location.hash.slice(1));
    const status = [...form.elements.status].find((choice) => choice.value === (view.get("status") ?? ""));
    if (status) status.checked = true;
    form.elements.search.value = view.get("search") ?? "";
    const column = headings.findIndex((heading) => heading.textContent.toLowerCase() === view.get("sort"));
    sortBy(Math.max(column, 0), view.get("order") === "descending" ? "descending" : "ascending");
    filter();
  };

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.addEventListener("click", () => {
      const again = sorting.column === column && sorting.direction === "ascending";
      sortBy(column, again ? "descending" : "ascending");
      remember();
    });
    heading.replaceChildren(button);
  });

  let waiting;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { filter(); remember(); }, 80);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
})();
