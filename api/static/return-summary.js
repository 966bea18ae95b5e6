// Reads the typed data that a wallet will be asked to sign: checks it, and says it in plain words.
// What is shown comes from the same object that is handed to the wallet.

import { Trouble } from "./return-desk.js";

/** ReturnAuthorization as the escrow contract hashes it (EIP-712): a field more or less is another message. */
const FIELDS = [
  "bytes32 line", "address vault", "address holder", "address token", "uint256 tokenId",
  "uint256 amount", "uint8 remedy", "address asset", "uint256 refund", "address recipient",
  "uint48 deadline", "uint48 reclaimAfter", "uint48 commitUntil",
];
const DOMAIN_FIELDS = ["string name", "string version", "uint256 chainId", "address verifyingContract"];
/** In the order of the contract's enumeration. */
const REMEDY_NAMES = ["fiat_refund", "crypto_refund", "store_credit"];
/** EIP-7528: stands for the chain's own coin. */
const NATIVE = `0x${"ee".repeat(20)}`;
/** A fiat currency is named by its ISO 4217 number written as an address. */
const ISO_CODES = {
  36: "AUD", 124: "CAD", 156: "CNY", 203: "CZK", 208: "DKK", 344: "HKD", 348: "HUF", 356: "INR",
  360: "IDR", 376: "ILS", 392: "JPY", 410: "KRW", 458: "MYR", 484: "MXN", 554: "NZD", 578: "NOK",
  608: "PHP", 702: "SGD", 710: "ZAR", 752: "SEK", 756: "CHF", 764: "THB", 784: "AED", 826: "GBP",
  840: "USD", 946: "RON", 949: "TRY", 975: "BGN", 978: "EUR", 985: "PLN", 986: "BRL",
};
/** Where the registry of CLDR, which browsers carry, differs from ISO 4217. */
const ISO_EXPONENTS = { HUF: 2, IDR: 2 };

/** Minor units as people write them: 1250000 with two places is "12,500.00". Exact: no floats. */
export function inMajor(minor, exponent, { trim = false } = {}) {
  const digits = BigInt(minor).toString().padStart(exponent + 1, "0");
  const whole = digits.slice(0, digits.length - exponent).replace(/\B(?=(\d{3})+$)/g, ",");
  let part = exponent ? digits.slice(-exponent) : "";
  if (trim) part = part.replace(/0+$/, "");
  return part ? `${whole}.${part}` : whole;
}

/** The API's `display` of an amount, with separators, a coin's empty places cut. */
export function sumOf(money) {
  const exponent = placesOf(money);
  return `${inMajor(money.amount, exponent, { trim: exponent > 4 })} ${money.currency}`;
}

function placesOf({ display }) {
  return (display.split(".")[1] ?? "").length;
}

/** Refuse a message that says anything else than what was asked for. */
export function check(typed, line, now = Date.now() / 1000) {
  const { message, domain, types } = typed;
  const wrong = (what) => {
    throw new Trouble(
      `The message to be signed is not what you asked for: ${what}.`,
      "Do not sign it. Tell the shop, and name this sentence.",
      { code: "message_differs" },
    );
  };
  const shape = (list) => (list ?? []).map(({ name, type }) => `${type} ${name}`).join();
  if (typed.primaryType !== "ReturnAuthorization" || shape(types.ReturnAuthorization) !== FIELDS.join()
    || shape(types.EIP712Domain) !== DOMAIN_FIELDS.join()) wrong("it has another form");
  if (domain.name !== "Undrop ReturnEscrow" || domain.version !== "1") wrong("it is for another contract");
  if (!same(message.token, line.collection) || BigInt(message.tokenId) !== BigInt(line.token_id)
    || BigInt(message.amount) !== 1n) wrong("it names another token");
  if (REMEDY_NAMES[message.remedy] !== line.remedy) wrong("it names another kind of refund");
  if (BigInt(message.refund) !== BigInt(line.amount.amount)) wrong("it names another amount");
  if (!same(message.recipient, message.holder)) wrong("the refund would go to somebody else");
  const [deadline, first, second] = ["deadline", "reclaimAfter", "commitUntil"].map((key) => Number(message[key]));
  // Nothing is held in a swap of token against refund, and there is nothing to take back.
  const held = line.remedy !== "crypto_refund";
  if (held && !(first >= deadline && second >= first)) wrong("its dates are not in order");
  if (deadline <= now) {
    throw new Trouble("The time to sign this message has passed.", "Ask for the return again.", { code: "too_late" });
  }
}

/**
 * What the refund is paid in: {code, exponent, fiat}. `call(to, data)` is eth_call, for ERC-20 tokens.
 * Refuses an asset that is not the currency of the case's `money`, with the same number of places.
 */
export async function assetOf(typed, money, call) {
  const asset = await lookUp(typed.message.asset, call);
  if (asset === null || asset.code !== money.currency || asset.exponent !== placesOf(money)) {
    throw new Trouble(
      `The message to be signed names another currency than ${money.currency}.`,
      "Do not sign it. Tell the shop, and name this sentence.",
      { code: "message_differs" },
    );
  }
  return asset;
}

async function lookUp(address, call) {
  if (same(address, NATIVE)) return { code: "ETH", exponent: 18, fiat: false };
  const number = BigInt(address);
  if (number < 1000n) {
    const code = ISO_CODES[Number(number)];
    return code ? { code, exponent: isoExponent(code), fiat: true } : null;
  }
  // symbol() and decimals() of the token itself
  const [symbol, decimals] = await Promise.all([call(address, "0x95d89b41"), call(address, "0x313ce567")]);
  const exponent = Number(BigInt(decimals));
  return exponent <= 36 ? { code: readString(symbol), exponent, fiat: false } : null;
}

function isoExponent(code) {
  return ISO_EXPONENTS[code]
    ?? new Intl.NumberFormat("en", { style: "currency", currency: code }).resolvedOptions().maximumFractionDigits;
}

/** An ABI-encoded string: offset, length, bytes. */
function readString(hex) {
  const bytes = Uint8Array.from(hex.slice(2).match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const length = Number(BigInt(`0x${hex.slice(66, 130) || 0}`));
  return length <= 32 ? new TextDecoder().decode(bytes.slice(64, 64 + length)) : "";
}

/** The message in plain words: a list of [term, sentence, further sentence or null]. */
export function summarise(typed, asset) {
  const { message } = typed;
  const remedy = REMEDY_NAMES[message.remedy];
  const sum = `${inMajor(message.refund, asset.exponent, { trim: !asset.fiat })} ${asset.code}`;
  const escrowed = remedy !== "crypto_refund";
  const paid = {
    fiat_refund: ["The card that you paid with", null],
    crypto_refund: ["Your wallet", message.recipient],
    store_credit: ["Your store credit at this shop", null],
  }[remedy];
  return [
    ["You give back", `Token #${message.tokenId}`, `of collection ${message.token}`],
    ["You get", sum, escrowed ? null : "in the transaction that takes the token"],
    ["Paid to", ...paid],
    ["Signature may be used", `until ${moment(message.deadline)}`, null],
    escrowed
      ? ["You can take the token back", `from ${moment(message.reclaimAfter)}`,
        `once your refund has been started: from ${moment(message.commitUntil)}`]
      : ["You can take the token back", "Not needed: it is never held", "token and refund change hands together, or not at all"],
    ["You pay", "No gas and no fee", null],
  ];
}

function moment(seconds) {
  return new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  }).format(new Date(Number(seconds) * 1000));
}

export function same(one, other) {
  return typeof one === "string" && typeof other === "string" && one.toLowerCase() === other.toLowerCase();
}
