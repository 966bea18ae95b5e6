// The console: reads the API with a key that stays in this tab, and keeps four tables up to date.

import { LiveTable } from "./console-table.js";
import { at, remedyOf, short, spelled, stateOf, sum, tokenOf } from "./console-words.js";

const EVERY_MS = 3_000, PATIENCE_MS = 15_000;
const KEY = "undrop.console.key";
const $ = (id) => document.getElementById(id);

const state = (word) => {
  const [text, tone] = stateOf(word);
  return { text, tone };
};
const named = (text) => ({ text: short(text), title: text });
const token = (line) => ({ text: `#${line.token_id}`, title: `Token ${line.token_id} of ${line.collection}` });
/** The rules that sent it here; the explanation is written for the customer. */
const why = ({ decision }) => decision?.reasons.map(spelled).join(", ") || decision?.explanation || "";
/** What a model from the generator is worth has to stand where people read its scores. */
const modelNote = (model) => {
  if (!model) return " No risk model is in force: the rule score stands alone.";
  return model.composed ? " The risk model was trained on composed requests, not on your customers." : "";
};
const first = (item) => item.lines[0];
const tokens = (item) => (item.lines.length === 1 ? token(first(item)) : `${item.lines.length} tokens`);

const VIEWS = {
  reviews: {
    path: "/v1/reviews",
    rows: (answer) => answer.reviews,
    note: (rows, { advisers }) => {
      const said = rows.length ? "Lines that wait for a person, the next deadline first." : "Nothing waits for a person.";
      return said + modelNote(advisers?.risk_model);
    },
    table: new LiveTable($("reviews"), "Review queue", [
      { label: "Return", kind: "code", width: "w-m", cell: (row) => row.rma },
      { label: "Token", width: "w-s", cell: token },
      { label: "Customer's reason", width: "w-m", cell: (row) => spelled(row.reason) },
      { label: "Asks for", width: "w-m", cell: (row) => remedyOf(row.remedy) },
      { label: "Amount", kind: "number", width: "w-m", cell: (row) => sum(row.amount) },
      { label: "Why a person", cell: why },
      { label: "Waiting since", width: "w-m", cell: (row) => at(row.updated_at) },
      { label: "Decision", width: "w-s", cell: (row) => ({ button: "Decide", label: `Decide ${row.rma}`, act: () => openDecision(row) }) },
    ], (row) => row.line),
  },
  breaks: {
    path: "/v1/reconciliation",
    rows: (answer) => answer.breaks,
    note: (rows, { run }) => {
      if (!run) return "No reconciliation has run yet. Start one with: undrop reconcile";
      const when = `Last reconciliation ${at(run.at)}, at block ${run.block_number}`;
      return rows.length ? `${when}.` : `${when}: orders and ledger, processor and chain agree.`;
    },
    table: new LiveTable($("breaks"), "Reconciliation breaks", [
      { label: "Code", kind: "code", width: "w-l", cell: (row) => row.code },
      { label: "Subject", kind: "code", width: "w-l", cell: (row) => ({ text: tokenOf(row.subject), title: row.subject }) },
      { label: "Return", kind: "code", width: "w-m", cell: (row) => row.rma ?? "–" },
      { label: "Expected", cell: (row) => row.expected },
      { label: "Found", cell: (row) => row.found },
      { label: "Owner", width: "w-s", cell: (row) => row.owner ?? "nobody" },
      { label: "First seen", width: "w-m", cell: (row) => at(row.first_seen) },
    ], (row) => `${row.code}|${row.subject}`),
  },
  cases: {
    path: "/v1/returns",
    rows: (answer) => answer.returns,
    note: (rows) => (rows.length ? "The newest cases; at most a hundred are shown." : "There are no cases yet. One appears here as soon as a customer asks for a return."),
    table: new LiveTable($("cases"), "Cases", [
      { label: "Return", kind: "code", width: "w-m", cell: (row) => row.rma },
      { label: "State", width: "w-l", cell: (row) => state(row.state) },
      { label: "Token", width: "w-s", cell: tokens },
      { label: "Remedy", width: "w-m", cell: (row) => remedyOf(first(row).remedy) },
      { label: "Amount", kind: "number", width: "w-l", cell: (row) => row.lines.map((line) => sum(line.amount)).join(", ") },
      { label: "Order", kind: "code", cell: (row) => named(row.order) },
      { label: "Customer's reason", width: "w-m", cell: (row) => spelled(row.reason) },
      { label: "Opened", width: "w-m", cell: (row) => at(row.created_at) },
    ], (row) => row.rma),
  },
  holds: {
    path: "/v1/holds",
    rows: (answer) => answer.holds,
    note: (rows) => (rows.length ? "The one that its depositor can take back first stands on top." : "No token is in escrow."),
    table: new LiveTable($("holds"), "Tokens in escrow", [
      { label: "Return", kind: "code", width: "w-m", cell: (row) => row.rma },
      { label: "Token", cell: (row) => ({ text: tokenOf(row.token), title: row.token }) },
      { label: "State", width: "w-l", cell: (row) => state(row.state) },
      { label: "Depositor", kind: "code", cell: (row) => named(row.depositor) },
      { label: "Can be taken back from", width: "w-l", cell: (row) => at(row.reclaim_after) },
    ], (row) => `${row.rma}|${row.token}`),
  },
};

// -- asking ------------------------------------------------------------------------------------

class Refusal extends Error {
  constructor(status, { detail, next_step: next } = {}) {
    super([detail ?? "The API does not answer.", next].filter(Boolean).join(" "));
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { Authorization: `Bearer ${key()}`, ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Refusal(0, { next_step: "Trying again." });
  }
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, content);
  return content;
}

// -- the key -----------------------------------------------------------------------------------

function key() {
  return sessionStorage.getItem(KEY);
}

function showDoor(problem) {
  $("desk").hidden = $("forget").hidden = true;
  $("door").hidden = false;
  write($("key-problem"), problem ?? "");
  $("key-problem").hidden = !problem;
  $("key").focus();
}

function showDesk() {
  $("door").hidden = true;
  $("desk").hidden = $("forget").hidden = false;
}

$("door-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const given = $("key").value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) {
    showDoor("This is not an API key: it has characters that no key has.");
    return;
  }
  sessionStorage.setItem(KEY, given);
  refresh();
});

$("forget").addEventListener("click", () => {
  sessionStorage.removeItem(KEY);
  for (const { table } of Object.values(VIEWS)) table.show([]);
  $("key").value = "";
  if ($("decide").open) $("decide").close();
  showDoor();
});

// -- the tables --------------------------------------------------------------------------------

let timer = 0;
let round = 0;

async function refresh() {
  clearTimeout(timer);
  const mine = (round += 1);
  const used = key();
  const results = await Promise.all(Object.entries(VIEWS).map(async ([name, view]) => {
    try {
      return [name, await ask(view.path), null];
    } catch (refusal) {
      return [name, null, refusal];
    }
  }));
  if (mine !== round || used !== key()) return;
  if (results.some(([, , refusal]) => refusal?.status === 401)) {
    sessionStorage.removeItem(KEY);
    showDoor("This key is not accepted: it is wrong or has expired.");
    return;
  }
  showDesk();
  results.forEach(([name, answer, refusal]) => showView(name, answer, refusal));
  showFreshness(results.map(([, , refusal]) => refusal).filter(Boolean));
  timer = setTimeout(tick, EVERY_MS);
}

function tick() {
  if (document.hidden) timer = setTimeout(tick, EVERY_MS);
  else refresh();
}

function showView(name, answer, refusal) {
  const view = VIEWS[name];
  const note = $(`${name}-note`);
  note.classList.toggle("wrong", Boolean(refusal));
  if (refusal) {
    write(note, refusal.message); // what was read before stays where it is
    return;
  }
  const rows = view.rows(answer);
  view.table.show(rows);
  write(note, view.note(rows, answer));
  write($(`count-${name}`), String(rows.length));
}

let lastRead = null;

function showFreshness(refusals) {
  if (!refusals.length) lastRead = new Date();
  const line = $("freshness");
  line.classList.toggle("stale", refusals.length > 0);
  const when = lastRead ? at(lastRead) : null;
  write(line, refusals.length
    ? `Not everything could be read${when ? `; complete at ${when}` : ""}. Trying again every 3 seconds.`
    : `Read at ${when}; again every 3 seconds.`);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// -- deciding ----------------------------------------------------------------------------------

let deciding = null;

function openDecision(row) {
  if (deciding?.line !== row.line) $("decide-form").reset();
  deciding = row;
  write($("decide-title"), `Decide ${row.rma}`);
  $("decide-facts").replaceChildren(...[
    ["Token", `#${row.token_id} of ${row.collection}`],
    ["Asks for", `${remedyOf(row.remedy)}, ${sum(row.amount)}`],
    ["Reason", spelled(row.reason)],
    ["Why a person", why(row)],
  ].flatMap(([term, text]) => [withText("dt", term), withText("dd", text)]));
  $("decide-form").querySelectorAll("[data-with]").forEach((part) => {
    part.hidden = !row.actions.includes(part.dataset.with);
  });
  showProblem("");
  $("decide").showModal();
  $("decide-reason").focus();
}

function withText(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}

function showProblem(text) {
  write($("decide-problem"), text);
  $("decide-problem").hidden = !text;
}

$("decide-close").addEventListener("click", () => $("decide").close());

$("decide-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.currentTarget;
  const body = { line: deciding.line, decision: event.submitter?.value, reason: $("decide-reason").value.trim() };
  if (body.reason.length < 3) {
    showProblem("Write a reason of at least three characters.");
    return;
  }
  if ($("decide-remedy").value && body.decision === "approve") body.remedy = $("decide-remedy").value;
  const buttons = form.querySelectorAll("button[type=submit]");
  showProblem("");
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await ask(`/v1/reviews/${encodeURIComponent(deciding.rma)}/decision`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    form.reset();
    deciding = null;
    $("decide").close();
    refresh();
  } catch (refusal) {
    showProblem(refusal.status ? `${refusal.message} Nothing was changed.`
      : "No answer came. Whether it was decided is not known: close this and look whether the case still waits.");
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
});

if (key()) refresh();
else showDoor();
