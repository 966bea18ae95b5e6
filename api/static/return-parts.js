// Small pieces of the dialog. Text only ever enters by textContent.

/** An element with properties, attributes (`aria-…`, `role`, `for`) and children (strings become text). */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** What happened, what to do, what moved; announced at once to screen readers by its container. */
export function troubleBox(trouble) {
  return [
    make("strong", {}, trouble.message),
    make("span", {}, trouble.next),
    make("span", {}, trouble.movedSentence),
  ];
}

/** The message in plain words as a description list. */
export function summaryList(rows) {
  const list = make("dl", { className: "summary" });
  for (const [term, sentence, further] of rows) {
    const told = make("dd", {}, sentence);
    if (further) told.append(make("span", { className: "further" }, further));
    list.append(make("div", {}, make("dt", {}, term), told));
  }
  return list;
}

/** The steps of a remedy; each says by a word whether it is done, under way or to come. */
export function stepList(steps, state) {
  const current = steps.findIndex(([, states]) => states.includes(state));
  const list = make("ol", { className: "steps" });
  steps.forEach(([label], index) => {
    const done = index < current || (index === current && state === "settled");
    const word = done ? "done" : index === current ? "now" : "to come";
    const item = make("li", { className: word === "now" ? "now" : "" }, make("span", {}, label));
    if (word === "now") item.setAttribute("aria-current", "step");
    item.append(make("span", { className: "word" }, word));
    list.append(item);
  });
  return list;
}

/** A group of radio buttons: `options` are [value, label]; the first is chosen. */
export function choices(legend, name, options, chosen) {
  const group = make("fieldset", {}, make("legend", {}, legend));
  options.forEach(([value, label], index) => {
    const input = make("input", { type: "radio", name, value, required: true });
    input.checked = chosen ? value === chosen : index === 0;
    group.append(make("label", { className: "choice" }, input, make("span", {}, label)));
  });
  return group;
}

/** Storage that may be switched off (a sandboxed frame, a private window): then nothing is kept. */
export function keep(storage, key, value) {
  try {
    if (value === null) window[storage].removeItem(key);
    else window[storage].setItem(key, value);
  } catch {
    return false;
  }
  return true;
}

export function kept(storage, key) {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}
