// <undrop-return-button merchant collection token-id [order token-url tender wallet]>
//
// Without a right to the order (no `order` or no `token-url`) it only tells whether the token can be
// returned. With it, it takes a return from the wish to the end: one dialog, one signature.
// Events on the element, bubbling: `undrop-open` {order, wallet}, `undrop-state` {rma, state}.

import { Desk, Trouble, returnability } from "./return-desk.js";
import { choices, keep, kept, make, stepList, summaryList, troubleBox } from "./return-parts.js";
import { sheet } from "./return-style.js";
import { assetOf, check, same, summarise, sumOf } from "./return-summary.js";
import { caller, ensureReady, signWith, switchChain, watchWallets } from "./return-wallets.js";
import { REASONS, REMEDIES, RESTING, TONE, stepsOf, tell, tellReturnability } from "./return-words.js";

const BASE = new URL(import.meta.url).origin;
const RMA = /RMA-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z*~$=]/;
/** Milliseconds between looks: while watched, while closed or with a person, and at most after failures. */
const SOON = 1_000, LATER = 5_000, AT_MOST = 30_000;

class UndropReturnButton extends HTMLElement {
  #parts = null;
  #desk = null;
  #terms = null;
  #case = null;
  #screen = null;
  #busy = false;
  #timer = 0;
  #misses = 0;
  #unwatch = () => {};

  connectedCallback() {
    if (!this.#parts) this.#build();
    this.#desk = new Desk(BASE, this.getAttribute("token-url"));
    this.#loadTerms();
    if (this.#mayAsk && this.#rma) this.#look();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  get #mayAsk() {
    return this.hasAttribute("order") && this.hasAttribute("token-url");
  }

  get #place() {
    return ["merchant", "order", "collection", "token-id"].map((name) => this.getAttribute(name)).join("|");
  }

  /** The return of this purchase, also after a reload; in memory where nothing can be kept. */
  get #rma() {
    return this.#case?.rma ?? kept("localStorage", `undrop.return|${this.#place}`);
  }

  /** The line of this button's token. */
  get #line() {
    return this.#case?.lines.find((line) => same(line.collection, this.getAttribute("collection"))
      && line.token_id === this.getAttribute("token-id"));
  }

  // -- what stands on the page ------------------------------------------------------------------

  #build() {
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    const note = make("p", { className: "note", id: "note" }, "Reading the return terms…");
    const opener = make("button", {
      type: "button", className: "opener", hidden: !this.#mayAsk, "aria-haspopup": "dialog", "aria-describedby": "note",
    }, "Return this token");
    const title = make("h2", { id: "title" }, `Return token #${this.getAttribute("token-id")}`);
    const close = make("button", { type: "button", className: "close", "aria-label": "Close" }, "✕");
    const trouble = make("div", { className: "trouble", role: "alert", hidden: true });
    const live = make("p", { className: "quiet", role: "status" });
    const screen = make("div", { className: "screen" });
    const body = make("div", { className: "body" }, trouble, screen, live);
    const dialog = make("dialog", { "aria-labelledby": "title" }, make("header", {}, title, close), body);
    opener.addEventListener("click", () => this.#open());
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => this.#unwatch());
    root.append(note, opener, dialog);
    this.#parts = { note, opener, dialog, trouble, live, screen };
  }

  async #loadTerms() {
    const [merchant, collection] = [this.getAttribute("merchant"), this.getAttribute("collection")];
    try {
      this.#terms = await returnability(BASE, merchant, collection);
    } catch {
      this.#terms = null;
    }
    this.#showNote();
  }

  #showNote() {
    const { note, opener } = this.#parts;
    const line = this.#line;
    note.classList.toggle("told", Boolean(line));
    if (line) {
      const [word] = tell(line, sumOf(line.amount));
      note.replaceChildren(stateWord(line.state, word), ` · ${this.#case.rma}`);
      opener.textContent = line.state === "awaiting_signature" ? "Sign the return" : "Show the return";
      return;
    }
    note.textContent = this.#terms
      ? tellReturnability(this.#terms, this.getAttribute("token-id"), this.getAttribute("tender"))
      : "The return terms cannot be read at the moment.";
    opener.textContent = "Return this token";
    opener.hidden = !this.#mayAsk || this.#isFinalSale;
  }

  get #isFinalSale() {
    const terms = this.#terms;
    return terms !== null && (!terms.returnable || terms.final_sale_tokens.includes(this.getAttribute("token-id")));
  }

  #open() {
    const detail = { order: this.getAttribute("order"), wallet: this.getAttribute("wallet") };
    this.dispatchEvent(new CustomEvent("undrop-open", { bubbles: true, composed: true, detail }));
    this.#showTrouble(null);
    this.#parts.dialog.showModal();
    if (this.#rma) this.#look();
    this.#render();
  }

  // -- screens ----------------------------------------------------------------------------------

  /** Show what the case asks for now. A screen that is already there keeps what was typed. */
  #render() {
    this.#showNote();
    const name = this.#screenName();
    if (name === this.#screen) return;
    this.#screen = name;
    this.#unwatch();
    const screens = {
      ask: () => this.#askScreen(),
      waiting: () => [heading("Reading your return…")],
      sign: () => this.#signScreen(),
    };
    const content = (screens[name] ?? (() => this.#progressScreen()))();
    this.#parts.screen.replaceChildren(...content);
    if (this.#parts.dialog.open) this.#parts.screen.querySelector("h3")?.focus();
  }

  #screenName() {
    if (!this.#rma) return "ask";
    const line = this.#line;
    if (!line) return "waiting";
    return line.state === "awaiting_signature" ? "sign" : `progress ${line.state}`;
  }

  #askScreen() {
    const wish = JSON.parse(kept("sessionStorage", this.#wishKey) ?? "null")?.body;
    const reasons = make("select", { name: "reason", required: true }, make("option", { value: "" }, "Choose…"));
    for (const [value, label] of Object.entries(REASONS)) reasons.append(make("option", { value }, label));
    reasons.value = wish?.reason ?? "";
    const message = make("textarea", { name: "message", rows: 3, maxLength: 2000 });
    message.value = wish?.message ?? "";
    const submit = make("button", { type: "submit", className: "primary" }, "Ask for the return");
    const form = make("form", {},
      heading("What would you like?"),
      make("label", { className: "field" }, "Why do you return it?", reasons),
      choices("How would you like to be refunded?", "remedy", this.#remedies(), wish?.remedy),
      make("label", { className: "field" }, "Message (optional)", message),
      submit,
      make("p", { className: "quiet" }, "You get an answer at once. Nothing moves before you have signed."));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#do("Sending your request…", () => this.#request(new FormData(form)));
    });
    return [form];
  }

  /** What the terms offer and the payment allows, as [value, label]. */
  #remedies() {
    const tender = this.getAttribute("tender");
    return Object.entries(REMEDIES)
      .filter(([remedy]) => this.#terms === null || this.#terms.remedies.includes(remedy))
      .filter(([, { tender: needed }]) => needed === null || needed === tender)
      .map(([remedy, { offer }]) => [remedy, offer]);
  }

  #signScreen() {
    const line = this.#line;
    const buttons = make("div", { className: "buttons" });
    const place = make("div", { className: "screen" },
      heading("Your return is approved"),
      make("p", {}, line.decision?.explanation ?? `You get ${sumOf(line.amount)}.`),
      make("p", {}, "Sign one message with your wallet to go on. It costs no gas."),
      buttons,
      this.#caseNumber());
    this.#unwatch = watchWallets((wallets) => this.#offerWallets(buttons, place, wallets));
    return [place];
  }

  #offerWallets(buttons, place, wallets) {
    if (!wallets.length) {
      const again = make("button", { type: "button" }, "Look again");
      again.addEventListener("click", () => window.dispatchEvent(new Event("eip6963:requestProvider")));
      buttons.replaceChildren(
        make("p", {}, "No wallet was found in this browser. Open your wallet's extension, or open this page in the "
          + "browser of your wallet, then look again. Nothing was moved."), again);
      return;
    }
    buttons.replaceChildren(...wallets.map((wallet) => {
      const button = make("button", { type: "button", className: "primary" }, `Continue with ${wallet.name}`);
      button.addEventListener("click", () => this.#do(`Asking ${wallet.name}…`, () => this.#prepare(wallet, place)));
      return button;
    }));
  }

  /** Wallet and message fit together: show what will be signed, and the button that signs it. */
  async #prepare(wallet, place) {
    const line = this.#line;
    const offered = (await this.#desk.authorizations(this.#case.rma)).find((one) => one.line === line.line);
    if (!offered || offered.signed) return this.#refresh();
    const typed = offered.typed_data;
    check(typed, line);
    try {
      await ensureReady(wallet, typed);
    } catch (trouble) {
      if (trouble.code === "wrong_chain") this.#offerSwitch(wallet, typed, place);
      throw trouble;
    }
    const asset = await assetOf(typed, line.amount, caller(wallet));
    const sign = make("button", { type: "button", className: "primary" }, `Sign with ${wallet.name}`);
    sign.addEventListener("click", () => this.#do(`Waiting for ${wallet.name}…`, () => this.#sign(wallet, typed, line)));
    const title = heading("What you sign");
    this.#unwatch();
    place.replaceChildren(...[title, wayNote(offered.way), summaryList(summarise(typed, asset)), sign].filter(Boolean));
    title.focus();
    return undefined;
  }

  #offerSwitch(wallet, typed, place) {
    const button = make("button", { type: "button", className: "primary" }, "Switch the network");
    button.addEventListener("click", () => this.#do(`Asking ${wallet.name}…`, async () => {
      await switchChain(wallet, typed);
      await this.#prepare(wallet, place);
    }));
    place.querySelector(".switch")?.remove();
    place.querySelector(".buttons").after(make("div", { className: "buttons switch" }, button));
  }

  #progressScreen() {
    const line = this.#line;
    const [word, sentence] = tell(line, sumOf(line.amount));
    const why = ["denied", "in_review"].includes(line.state) ? line.decision?.explanation : null;
    const steps = stepsOf(line.remedy);
    const moving = steps.some(([, states]) => states.includes(line.state));
    const content = [
      make("h3", { tabIndex: -1 }, stateWord(line.state, word)),
      why ? make("p", {}, why) : null,
      make("p", {}, sentence),
      moving ? stepList(steps, line.state) : null,
      this.#caseNumber(),
    ];
    if (RESTING.has(line.state) && line.state !== "settled") content.push(this.#againButton());
    return content.filter(Boolean);
  }

  #againButton() {
    const again = make("button", { type: "button" }, "Ask again");
    again.addEventListener("click", () => {
      this.#forget();
      this.#render();
    });
    return again;
  }

  #caseNumber() {
    return make("p", { className: "quiet" }, `Your return number is ${this.#case.rma}. You can close this and come back.`);
  }

  // -- doing ------------------------------------------------------------------------------------

  /** One thing at a time: say that it is under way, and say what became of it. */
  async #do(saying, action) {
    if (this.#busy) return;
    this.#busy = true;
    const { live, dialog } = this.#parts;
    this.#showTrouble(null);
    live.textContent = saying;
    dialog.setAttribute("aria-busy", "true");
    try {
      await action();
    } catch (fault) {
      this.#showTrouble(asTrouble(fault));
    } finally {
      this.#busy = false;
      live.textContent = "";
      dialog.removeAttribute("aria-busy");
    }
  }

  #showTrouble(trouble) {
    const box = this.#parts.trouble;
    box.hidden = trouble === null;
    box.replaceChildren(...(trouble === null ? [] : troubleBox(trouble)));
    if (trouble !== null) box.scrollIntoView({ block: "nearest" });
  }

  get #wishKey() {
    return `undrop.wish|${this.#place}`;
  }

  async #request(form) {
    const body = {
      order: this.getAttribute("order"),
      lines: [{ collection: this.getAttribute("collection"), token_id: this.getAttribute("token-id") }],
      reason: form.get("reason"),
      remedy: form.get("remedy"),
      message: form.get("message").trim(),
    };
    if (this.getAttribute("wallet")) body.wallet = this.getAttribute("wallet");
    try {
      this.#follow(await this.#desk.request(body, this.#keyFor(body)));
    } catch (trouble) {
      await this.#requestRefused(trouble);
    }
  }

  /** The key stays with its body until the desk has answered: a repetition asks for the same thing. */
  #keyFor(body) {
    const stored = JSON.parse(kept("sessionStorage", this.#wishKey) ?? "null");
    const unchanged = stored && JSON.stringify(stored.body) === JSON.stringify(body);
    const key = unchanged ? stored.key : randomKey();
    keep("sessionStorage", this.#wishKey, JSON.stringify({ key, body }));
    return key;
  }

  async #requestRefused(trouble) {
    if (!(trouble instanceof Trouble) || !trouble.refused) throw trouble;
    keep("sessionStorage", this.#wishKey, null);
    const rma = trouble.code === "already_returning" ? RMA.exec(trouble.message)?.[0] : null;
    if (!rma) throw trouble;
    this.#follow(await this.#desk.read(rma)); // asked for on another device, or the answer was lost
  }

  async #sign(wallet, typed, line) {
    const signature = await signWith(wallet, typed);
    try {
      this.#follow(await this.#desk.sign(this.#case.rma, line.line, signature));
    } catch (trouble) {
      await this.#signatureUnanswered(trouble);
    }
  }

  /** Whether a signature arrived is not guessed: the case says it. */
  async #signatureUnanswered(trouble) {
    const settled = ["authorization_replayed", "nothing_to_sign"].includes(trouble.code);
    if (trouble.refused && !settled) throw trouble;
    try {
      await this.#refresh();
    } catch {
      throw new Trouble(
        "You signed, but no answer came back.",
        "Do nothing more: leave this page open or come back later. It shows how things stand as soon as it can read them.",
        { moved: "Whether your signature arrived is not known yet. It can only do what you have read above." },
      );
    }
    if (this.#line?.state === "awaiting_signature") {
      throw new Trouble("Your signature has not arrived.", "Sign once more.", { code: "signature_lost" });
    }
  }

  async #refresh() {
    this.#follow(await this.#desk.read(this.#rma));
  }

  #follow(view) {
    const before = this.#line?.state;
    this.#case = view;
    keep("localStorage", `undrop.return|${this.#place}`, view.rma);
    this.#misses = 0;
    keep("sessionStorage", this.#wishKey, null);
    this.#render();
    this.#later();
    const state = this.#line?.state;
    if (state !== before) {
      const detail = { rma: view.rma, state };
      this.dispatchEvent(new CustomEvent("undrop-state", { bubbles: true, composed: true, detail }));
    }
  }

  #forget() {
    this.#case = null;
    keep("localStorage", `undrop.return|${this.#place}`, null);
    clearTimeout(this.#timer);
  }

  // -- following --------------------------------------------------------------------------------

  #later() {
    clearTimeout(this.#timer);
    const state = this.#line?.state;
    if (!this.isConnected || RESTING.has(state)) return;
    const watched = this.#parts.dialog.open && !["in_review", "needs_attention", "awaiting_signature"].includes(state);
    const pause = Math.min((watched ? SOON : LATER) * 2 ** this.#misses, AT_MOST);
    this.#timer = setTimeout(() => this.#look(), pause);
  }

  /** Read the case again; a failure is told and does not stop the looking. */
  async #look() {
    clearTimeout(this.#timer);
    const rma = this.#rma;
    try {
      const view = await this.#desk.read(rma);
      if (rma !== this.#rma) return;
      if (this.#misses) this.#parts.live.textContent = "";
      this.#follow(view);
    } catch (trouble) {
      if (rma === this.#rma) this.#missed(trouble);
    }
  }

  #missed(trouble) {
    if (trouble.status === 404) {
      this.#forget(); // the desk does not know this case any more
      this.#render();
      return;
    }
    this.#misses += 1;
    this.#parts.live.textContent =
      "The state cannot be read at the moment; looking again soon. Your return goes on without this page.";
    this.#later();
  }
}

function heading(text) {
  return make("h3", { tabIndex: -1 }, text);
}

/** How the token can reach the escrow, where its holder has to know or to do something first. */
function wayNote(way) {
  if (!way || way.kind === "preapproved") return null;
  return make("p", { className: "way" }, way.explanation);
}

function stateWord(state, word) {
  return make("span", { className: `state ${TONE[state] ?? "plain"}` }, word);
}

function asTrouble(fault) {
  if (fault instanceof Trouble) return fault;
  console.error(fault);
  return new Trouble("This page met a fault of its own.", "Reload the page and try again.", {
    moved: "This step was not finished. Your return number shows how things stand.",
  });
}

function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

customElements.define("undrop-return-button", UndropReturnButton);
