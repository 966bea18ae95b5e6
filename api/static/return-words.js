// What the return button says, in the customer's words. No state, no network.

export const REASONS = {
  accidental: "I bought it by accident",
  double_purchase: "I bought it twice",
  wrong_token: "It is not the token I meant to buy",
  not_as_described: "It is not as described",
  metadata_broken: "Its picture or data does not load",
  counterfeit: "I believe it is a counterfeit",
  unauthorised: "I did not make this purchase",
  price_regret: "I no longer want it at this price",
  other: "Another reason",
};

/** How each remedy is offered, and by which payment it can be reached. */
export const REMEDIES = {
  fiat_refund: { offer: "Refund to your card", short: "to the card", tender: "card" },
  crypto_refund: { offer: "Refund in crypto, to your wallet", short: "in crypto", tender: "wallet" },
  store_credit: { offer: "Store credit", short: "as store credit", tender: null },
};

/** States in which nothing is under way; all but `settled` allow asking again. */
export const RESTING = new Set(["settled", "denied", "canceled", "expired", "returned", "reclaimed"]);

/** good, bad, wait or plain: which shape stands before the word. */
export const TONE = {
  settled: "good", denied: "bad", needs_attention: "wait", in_review: "wait", appealed: "wait",
  awaiting_evidence: "wait", awaiting_signature: "wait", expired: "plain", canceled: "plain",
};

const STATES = {
  requested: ["Requested", "We have your request and are deciding it."],
  in_review: [
    "In review",
    "A person looks at your request. You need not wait here: this page shows the answer when you come back.",
  ],
  awaiting_evidence: ["We have a question", "A person needs something from you to decide; the shop tells you what."],
  appealed: ["Appealed", "Your appeal is here, and another person looks at it."],
  approved: ["Approved", "Your return is approved; the message to sign is being prepared."],
  awaiting_signature: ["Approved, your signature is needed", "Nothing moves before you have signed."],
  depositing: ["Under way", "Your token is moving into escrow."],
  in_custody: ["Under way", "Your token is in escrow. It is still yours to take back after the date you signed."],
  committing: ["Under way", "Your token is in escrow, and your refund is being made certain on the chain."],
  returning: ["On its way back", "Your token is on its way back to you."],
  returned: ["Returned to you", "Your token is back with you. No refund was made."],
  reclaimed: ["Taken back", "You have taken your token back."],
  canceled: ["Withdrawn", "This return was withdrawn. Nothing was moved."],
  expired: ["Expired", "The message was not signed in time. Nothing was moved; you can ask again."],
  denied: ["Refused", "Nothing was moved: the token stays yours."],
  needs_attention: [
    "A person is on it",
    "Something did not go as planned, and a person is looking at it. You need not do anything.",
  ],
};

const SETTLING = {
  fiat_refund: "Your refund is on its way to your card.",
  crypto_refund: "Token and refund are changing hands, in one transaction.",
  store_credit: "Your store credit is being booked.",
};

const SETTLED = {
  fiat_refund: (sum) => `${sum} was refunded to your card. Your bank may take some days to show it.`,
  crypto_refund: (sum) => `${sum} was paid to your wallet, in the transaction that took the token.`,
  store_credit: (sum) => `${sum} is on your store credit.`,
};

/** [short word, sentence] for a line of a case. `sum` is its amount as people write it. */
export function tell(line, sum) {
  if (line.state === "settling") return ["Under way", SETTLING[line.remedy] ?? "Your return is being settled."];
  if (line.state === "settled") return ["Settled", SETTLED[line.remedy]?.(sum) ?? "Your return is done."];
  return STATES[line.state] ?? [line.state, "Your return is under way."];
}

/** The way of a remedy in steps: [label, states in which it is the current one]. */
export function stepsOf(remedy) {
  if (remedy === "crypto_refund") {
    return [
      ["You sign one message", ["awaiting_signature"]],
      ["Token and refund change hands", ["settling"]],
      ["Done", ["settled"]],
    ];
  }
  const paid = remedy === "store_credit" ? "Store credit is booked" : "Refund goes to your card";
  return [
    ["You sign one message", ["awaiting_signature"]],
    ["Token goes into escrow", ["depositing"]],
    ["Refund is made certain", ["in_custody", "committing"]],
    [paid, ["settling"]],
    ["Done", ["settled"]],
  ];
}

/** What a shop's visitor may know before buying, in one or two sentences; `tender` where it is known. */
export function tellReturnability(terms, tokenId, tender) {
  if (!terms.returnable || terms.final_sale_tokens?.includes(tokenId)) {
    return "Final sale: this token cannot be returned.";
  }
  const ways = Object.entries(REMEDIES)
    .filter(([remedy, { tender: needed }]) => terms.remedies.includes(remedy) && (!tender || !needed || needed === tender))
    .map(([, { short }]) => short);
  const last = ways.pop();
  const how = ways.length ? `${ways.join(", ")} or ${last}` : last;
  const days = terms.window_days === null || terms.window_days === undefined
    ? "Can be returned" : `Can be returned within ${terms.window_days} days of the ${terms.window_from ?? "purchase"}`;
  const free = terms.gas_paid_by === "merchant" ? " You pay no gas." : "";
  return `${days}${how ? `: refund ${how}` : ""}.${free}`;
}
