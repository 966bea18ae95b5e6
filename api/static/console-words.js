// What the console says, in the words of the people who work with it.

const STATES = {
  requested: ["Requested", "plain"], denied: ["Denied", "bad"], in_review: ["In review", "wait"],
  awaiting_evidence: ["Awaiting evidence", "wait"], appealed: ["Appealed", "wait"],
  approved: ["Approved", "plain"], awaiting_signature: ["Awaiting signature", "plain"],
  depositing: ["Depositing", "plain"], in_custody: ["In custody", "plain"], committing: ["Committing", "plain"],
  settling: ["Settling", "plain"], settled: ["Settled", "good"], returning: ["Returning", "plain"],
  returned: ["Returned", "good"], reclaimed: ["Reclaimed", "wait"], canceled: ["Canceled", "plain"],
  expired: ["Expired", "plain"], needs_attention: ["Needs attention", "bad"],
  held: ["Held", "plain"], committed: ["Committed", "wait"],
};

const REMEDIES = {
  fiat_refund: "Card refund", crypto_refund: "Crypto refund", store_credit: "Store credit", nothing: "Nothing",
};

/** [word, tone] of a line's or hold's state. */
export function stateOf(state) {
  return STATES[state] ?? [spelled(state), "plain"];
}

export function remedyOf(remedy) {
  return REMEDIES[remedy] ?? spelled(remedy);
}

/** `not_as_described` as "Not as described". */
export function spelled(word) {
  const text = String(word ?? "").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** An amount in major units with separators; a coin's empty places are cut. */
export function sum({ currency, display }) {
  const [whole, part = ""] = display.split(".");
  const places = part.length > 4 ? part.replace(/0+$/, "") : part;
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return `${places ? `${grouped}.${places}` : grouped} ${currency}`;
}

/** UTC to the second, as in the books. */
export function at(iso) {
  const moment = new Date(iso);
  return Number.isNaN(moment.getTime()) ? String(iso) : `${moment.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `0x5fbdb2315678…0aa3`: long names in the middle, for tables; the whole stands in the title. */
export function short(text, ends = 6) {
  const all = String(text ?? "");
  return all.length <= 2 * ends + 4 ? all : `${all.slice(0, ends + 2)}…${all.slice(-ends)}`;
}

/** A CAIP-19 token as "#7 of 0xe7f172…3f0512". */
export function tokenOf(caip) {
  const match = /^eip155:\d+\/erc721:(0x[0-9a-f]{40})\/(\d+)$/i.exec(caip ?? "");
  return match ? `#${match[2]} of ${short(match[1])}` : String(caip);
}
