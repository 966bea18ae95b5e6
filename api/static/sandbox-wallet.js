// For the demo shop only: a wallet whose keys are the public ones of a local Anvil, which signs for them.
// It announces itself by EIP-6963 like any other, and knows the customer whose button was pressed.

const RPC = document.querySelector('meta[name="undrop-rpc"]')?.content;
/** Anvil's accounts 6 to 9 play the customers; the others have roles in the contracts. */
const CUSTOMERS = [6, 10];

/** What it passes on as it is: reading, and nothing that sends. */
const PASSED_ON = new Set(["eth_chainId", "eth_blockNumber", "eth_call", "eth_getCode", "net_version"]);

let current = null;
let next = 1;

document.addEventListener("undrop-open", ({ detail }) => {
  current = detail?.wallet?.toLowerCase() || null;
});

async function rpc(method, params = []) {
  let response;
  try {
    response = await fetch(RPC, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: next++, method, params }),
    });
  } catch {
    throw refusal(4900, "the local chain does not answer");
  }
  const { result, error } = await response.json();
  if (error) throw refusal(error.code, error.message);
  return result;
}

function refusal(code, message) {
  return Object.assign(new Error(message), { code });
}

async function accounts() {
  const all = await rpc("eth_accounts");
  const customers = all.slice(...CUSTOMERS).map((account) => account.toLowerCase());
  return current && customers.includes(current) ? [current] : [];
}

async function sign([account, typed]) {
  if (!(await accounts()).includes(String(account).toLowerCase())) {
    throw refusal(4100, "the account is not one of the sandbox wallet");
  }
  // Wallets are given text; Anvil wants the object.
  return rpc("eth_signTypedData_v4", [account, typeof typed === "string" ? JSON.parse(typed) : typed]);
}

async function switchChain([{ chainId } = {}]) {
  if (BigInt(chainId ?? 0) !== BigInt(await rpc("eth_chainId"))) {
    throw refusal(4902, "the sandbox wallet knows the local chain only");
  }
  return null;
}

const provider = Object.freeze({
  async request({ method, params = [] }) {
    if (method === "eth_requestAccounts" || method === "eth_accounts") return accounts();
    if (method === "eth_signTypedData_v4") return sign(params);
    if (method === "wallet_switchEthereumChain") return switchChain(params);
    if (PASSED_ON.has(method)) return rpc(method, params);
    throw refusal(4200, `the sandbox wallet does not do ${method}`);
  },
  on() {},
  removeListener() {},
});

const ICON = "data:image/svg+xml;base64," + btoa(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96"><rect width="96" height="96" rx="16" fill="#24725a"/></svg>',
);
const detail = Object.freeze({
  info: Object.freeze({ uuid: crypto.randomUUID(), name: "Sandbox wallet", icon: ICON, rdns: "local.undrop.sandbox" }),
  provider,
});

function announce() {
  window.dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
}

if (RPC) {
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
}
