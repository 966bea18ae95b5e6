// Talks to the returns desk and to the shop's token address. Every failure becomes a `Trouble`.

const PATIENCE_MS = 20_000;
const NOTHING = "nothing";

/** Next steps are written for developers of shops; a customer needs another one for these. */
const NEXT_FOR_CUSTOMERS = {
  credentials_invalid: "Sign in to the shop again, then reload this page.",
  scope_missing: "Tell the shop: its return button is not set up correctly.",
  signature_invalid: "Sign again with the account that holds the token.",
  authorization_expired: "Ask for the return again.",
  field_invalid: "Change what you entered and try again.",
  remedy_not_payable: "Choose another kind of refund.",
  not_found: "Check that this purchase is yours; then reload this page.",
};

/** A failure as a customer needs it: what happened, what to do, what moved. */
export class Trouble extends Error {
  constructor(what, next, { moved = NOTHING, code = "", status = 0 } = {}) {
    super(what);
    this.next = next;
    this.moved = moved;
    this.code = code;
    this.status = status;
  }

  /** A refusal by the desk; not a lost answer and not a fault on its side. */
  get refused() {
    return this.status >= 400 && this.status < 500;
  }

  get movedSentence() {
    if (this.moved === NOTHING) return "Nothing was moved: your token and your money are where they were.";
    return this.moved;
  }
}

/** The part of the API that a client token opens; the token itself stays in memory. */
export class Desk {
  #base;
  #tokenUrl;
  #token = null;

  constructor(base, tokenUrl) {
    this.#base = base;
    this.#tokenUrl = tokenUrl;
  }

  /** Ask for a return; `key` makes asking twice the same as asking once. */
  request(body, key) {
    return this.#call("POST", "/v1/returns", body, { "Idempotency-Key": key });
  }

  /** The case as it is now. */
  read(rma) {
    return this.#call("GET", `/v1/returns/${encodeURIComponent(rma)}`);
  }

  /** What the holder has to sign. */
  async authorizations(rma) {
    const answer = await this.#call("GET", `/v1/returns/${encodeURIComponent(rma)}/authorization`);
    return answer.authorizations;
  }

  /** Hand a signature in. */
  sign(rma, line, signature) {
    return this.#call("POST", `/v1/returns/${encodeURIComponent(rma)}/authorization`, { line, signature });
  }

  async #call(method, path, body, headers = {}) {
    try {
      return await this.#send(method, path, body, headers);
    } catch (trouble) {
      if (trouble.status !== 401 || !this.#token) throw trouble;
      this.#token = null; // it has expired: a second one is asked for, once
      return this.#send(method, path, body, headers);
    }
  }

  async #send(method, path, body, headers) {
    this.#token ??= await fetchToken(this.#tokenUrl);
    const all = { ...headers, Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) all["Content-Type"] = "application/json";
    return ask(this.#base + path, { method, headers: all, body: body && JSON.stringify(body) });
  }
}

const known = new Map();

/** The terms of a collection; one request per page, however many buttons there are. */
export function returnability(base, merchant, collection) {
  const query = new URLSearchParams({ merchant, collection });
  const url = `${base}/v1/returnability?${query}`;
  if (!known.has(url)) {
    const terms = ask(url, {});
    terms.catch(() => known.delete(url));
    known.set(url, terms);
  }
  return known.get(url);
}

async function fetchToken(url) {
  try {
    const answer = await ask(url, { credentials: "same-origin", cache: "no-store" });
    if (typeof answer.token === "string") return answer.token;
  } catch (trouble) {
    if (!trouble.refused) throw trouble;
  }
  throw new Trouble(
    "The shop does not confirm that this purchase is yours.",
    "Sign in to the shop with the account that bought the token, then reload this page.",
    { status: 403, code: "token_refused" },
  );
}

async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Trouble("The returns desk does not answer.", "Check your connection and try again.");
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  throw problem(response.status, content ?? {});
}

function problem(status, { detail, next_step: next, moved, code }) {
  return new Trouble(
    detail ?? "The returns desk gave an answer that this page cannot read.",
    NEXT_FOR_CUSTOMERS[code] ?? next ?? "Try again in a moment.",
    { status, code, moved: moved === undefined || moved === NOTHING ? NOTHING : `Moved so far: ${moved}.` },
  );
}
