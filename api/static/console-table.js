// Tables that are brought up to date in place: rows keep their elements, so that nothing jumps and the
// keyboard focus stays. Text only ever enters by textContent.

/**
 * A table in `place`. Columns are {label, kind, width, cell}; `cell(row)` gives a string, {text, title},
 * {text, tone} for a state, or an element maker {button, act}.
 */
export class LiveTable {
  #rows = new Map();
  #place;
  #columns;
  #key;
  #body = null;
  #caption;

  constructor(place, caption, columns, key) {
    this.#place = place;
    this.#caption = caption;
    this.#columns = columns;
    this.#key = key;
  }

  /** Show exactly these rows, in this order. */
  show(items) {
    if (!items.length) {
      this.#rows.clear();
      this.#body = null;
      this.#place.replaceChildren();
      return;
    }
    this.#body ??= this.#build();
    const wanted = new Set(items.map(this.#key));
    for (const [key, row] of this.#rows) {
      if (!wanted.has(key)) {
        row.remove();
        this.#rows.delete(key);
      }
    }
    items.forEach((item, index) => this.#put(item, index));
  }

  #put(item, index) {
    const key = this.#key(item);
    let row = this.#rows.get(key);
    if (!row) {
      row = element("tr", { role: "row" });
      for (const column of this.#columns) row.append(emptyCell(column));
      this.#rows.set(key, row);
    }
    this.#columns.forEach((column, at) => fill(row.cells[at], column.cell(item)));
    const there = this.#body.rows[index];
    if (there !== row) this.#body.insertBefore(row, there ?? null);
  }

  #build() {
    const head = element("tr", { role: "row" });
    for (const { label, kind, width } of this.#columns) {
      const cell = element("th", { scope: "col", role: "columnheader", class: classes(kind === "number" && kind, width) });
      cell.textContent = label;
      head.append(cell);
    }
    const table = element("table", { role: "table", "aria-label": this.#caption });
    const top = element("thead", { role: "rowgroup" });
    const body = element("tbody", { role: "rowgroup" });
    top.append(head);
    table.append(top, body);
    this.#place.replaceChildren(table);
    return body;
  }
}

function emptyCell({ label, kind }) {
  return element("td", { role: "cell", "data-label": label, class: classes(kind) });
}

function classes(...names) {
  return names.filter(Boolean).join(" ");
}

/** Write a value into a cell, touching only what has changed. */
function fill(cell, value) {
  if (value?.button) {
    fillButton(cell, value);
    return;
  }
  const { text, title = "", tone } = typeof value === "object" && value !== null ? value : { text: value };
  const span = cell.firstElementChild ?? cell.appendChild(document.createElement("span"));
  const written = String(text ?? "");
  if (span.textContent !== written) span.textContent = written;
  if (span.title !== title) span.title = title;
  const look = tone ? `state ${tone}` : "";
  if (span.className !== look) span.className = look;
}

/** The button stays; only what it does follows the row's newest content. */
function fillButton(cell, { button, label, act }) {
  const there = cell.firstElementChild ?? cell.appendChild(element("button", { type: "button" }));
  if (there.textContent !== button) there.textContent = button;
  there.setAttribute("aria-label", label);
  there.onclick = act;
}

function element(tag, attributes) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value) made.setAttribute(name, value);
  return made;
}
