// Wallets of this browser: found by EIP-6963, asked by EIP-1193. Every failure becomes a `Trouble`.

import { Trouble } from "./return-desk.js";
import { same } from "./return-summary.js";

const found = new Map();
const watchers = new Set();

window.addEventListener("eip6963:announceProvider", ({ detail }) => {
  const { uuid, name } = detail?.info ?? {};
  if (typeof uuid !== "string" || typeof name !== "string" || typeof detail.provider?.request !== "function") return;
  found.set(uuid, { name: name.slice(0, 60), provider: detail.provider });
  for (const tell of watchers) tell([...found.values()]);
});

/** Tell `watcher` which wallets there are, now and whenever one more announces itself. */
export function watchWallets(watcher) {
  watchers.add(watcher);
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  watcher([...found.values()]);
  return () => watchers.delete(watcher);
}

/** The wallet must offer the holder's account and be on the chain of the message. */
export async function ensureReady({ name, provider }, typed) {
  const accounts = await request(name, provider, "eth_requestAccounts");
  const { holder } = typed.message;
  const account = accounts.find((one) => same(one, holder));
  if (!account) {
    throw new Trouble(
      `${name} offers ${accounts[0] ?? "no account"}, but the token is held by ${holder}.`,
      "Choose that account in your wallet, then continue.",
      { code: "wrong_account" },
    );
  }
  const chain = BigInt(await request(name, provider, "eth_chainId"));
  if (chain !== BigInt(typed.domain.chainId)) {
    throw new Trouble(
      `${name} is on network ${chain}, but the token is on network ${typed.domain.chainId}.`,
      "Switch the network, then continue.",
      { code: "wrong_chain" },
    );
  }
  return account;
}

/** Ask the wallet to go to the message's chain. */
export async function switchChain({ name, provider }, typed) {
  const chainId = `0x${BigInt(typed.domain.chainId).toString(16)}`;
  await request(name, provider, "wallet_switchEthereumChain", [{ chainId }]);
}

/** Ask for the signature, after checking once more that nothing changed meanwhile. */
export async function signWith(wallet, typed) {
  const account = await ensureReady(wallet, typed);
  const { name, provider } = wallet;
  return request(name, provider, "eth_signTypedData_v4", [account, JSON.stringify(typed)]);
}

/** eth_call through the wallet. */
export function caller({ name, provider }) {
  return (to, data) => request(name, provider, "eth_call", [{ to, data }, "latest"]);
}

async function request(name, provider, method, params) {
  try {
    return await provider.request({ method, params });
  } catch (error) {
    throw explain(name, error);
  }
}

/** Codes of EIP-1193, EIP-1474 and EIP-3326. */
function explain(name, error) {
  const [what, next] = {
    4001: ["You declined in your wallet.", "Nothing is lost: you can sign later, until the date shown."],
    4100: [`${name} does not allow this page to use the account.`, "Connect the account in your wallet, then try again."],
    4200: [`${name} cannot sign this kind of message.`, "Use another wallet that holds the same account."],
    4900: [`${name} is not connected to any network.`, "Connect it, then try again."],
    4901: [`${name} is not connected to this network.`, "Connect it, then try again."],
    4902: [`${name} does not know this network.`, "Add the network in your wallet, then try again."],
    "-32002": [`${name} already shows a request.`, "Open your wallet and answer it, then try again."],
  }[error?.code] ?? [`${name} answered with an error: ${String(error?.message ?? "unknown").slice(0, 200)}`, "Try again, or use another wallet."];
  return new Trouble(what, next, { code: `wallet_${error?.code ?? "error"}` });
}
