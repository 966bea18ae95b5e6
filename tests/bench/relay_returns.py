"""Real returns: deposits into the escrow by signed authorization, alone and in batches."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

from eth_utils.crypto import keccak

from chain import account
from chain.addresses import fiat_asset
from chain.contracts import Deployment, encode_call, encode_signature
from chain.deploy import Collection, by_two_people, deploy
from chain.local import ADMIN, SECOND_ADMIN
from chain.relay.queue import Intent
from chain.relay.simulation import Move
from chain.signers import LocalSigner
from chain.typed_data import Domain, ReturnAuthorization, line_key, wallet_request
from returns.ids import new_id
from tests.bench.relay_books import Books, books
from tests.bench.relay_ceiling import body_of, send
from tests.bench.relay_fleet import Crew, pace
from tests.bench.relay_setting import LOOK_S, Setting, raw_bytes, setting
from tests.support.chain_node import CHAIN_ID, PEOPLE, VAULT, person

#: Tokens minted in one transaction.
_MINTED = 100
#: The chain's clock goes ahead of ours: each block, however short, takes a second of it.
_DAY = 86_400
_EURO = fiat_asset(978)
_PATIENCE_S = 120
#: Gas of a deposit, and what is promised to each in a batch; returns in one request.
_GAS, _PROMISE, _IN_ONE_REQUEST = 150_000, 500_000, 100


@dataclass(frozen=True)
class Desk:
    """A chain on which every lane is an operator, and customers hold one token each."""

    chain: Setting
    deployment: Deployment

    def deposit(self, kept: Books, index: int, batch_limit: int) -> Intent:
        """What the product owes for the customer's token once its holder has signed."""
        auth = self._authorization(index)
        domain = Domain(CHAIN_ID, self.deployment.escrow)
        signature = _customer(index).sign_typed_data(wallet_request(auth, domain))
        return Intent(
            id=new_id(),
            merchant_id=kept.merchant_id,
            chain_id=CHAIN_ID,
            to=self.deployment.escrow,
            data=encode_call("ReturnEscrow", "deposit", auth.as_tuple(), signature),
            facts={name: str(value) for name, value in asdict(auth).items()},
            moves=[Move(auth.token, auth.holder, self.deployment.escrow, 1, auth.tokenId)],
            case_id=new_id(),
            customer=f"customer {index}",
            batch_limit=batch_limit,
        )

    def _authorization(self, index: int) -> ReturnAuthorization:
        holder = _customer(index).address
        now = self.chain.client.newest().timestamp
        return ReturnAuthorization(
            line="0x" + line_key(new_id(), holder).hex(),
            vault=VAULT,
            holder=holder,
            token=self.deployment.collection,
            tokenId=index,
            amount=1,
            remedy=0,
            asset=_EURO,
            refund=49_99,
            recipient=holder,
            deadline=now + _DAY,
            reclaimAfter=now + 7 * _DAY,
            commitUntil=now + 30 * _DAY,
        )

    def wait_until_held(self, count: int) -> float:
        """When (`perf_counter`) the escrow holds so many tokens; `SystemExit` if it never does."""
        asked = encode_signature("balanceOf(address)", self.deployment.escrow)
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            held = self.chain.client.eth_call(self.deployment.collection, asked)
            if int.from_bytes(held) >= count:
                return time.perf_counter()
            time.sleep(LOOK_S)
        raise SystemExit(f"{count} tokens are not in escrow: nothing to measure")


def returned(count: int, batch_limit: int, *, on_postgres: bool) -> float:
    """Returns per second until the escrow holds all, `batch_limit` of them in a transaction."""
    with setting() as chain, books(on_postgres=on_postgres) as kept:
        desk = _opened(chain, count)
        intents = [desk.deposit(kept, index, batch_limit) for index in range(count)]
        crew = Crew(kept.database.url, chain.anvil.url, desk.deployment)
        return pace(crew, kept, intents, lambda: desk.wait_until_held(count)).mined


def returned_at_most(count: int, batch: int, *, on_postgres: bool) -> float:
    """What the node itself takes: the same returns signed beforehand, with nothing looked at."""
    with setting() as chain, books(on_postgres=on_postgres) as kept:
        desk = _opened(chain, count)
        calls = [desk.deposit(kept, index, batch).data for index in range(count)]
        if batch > 1:
            parts = (calls[first : first + batch] for first in range(0, count, batch))
            calls = [encode_call("ReturnEscrow", "batch", part, _PROMISE) for part in parts]
        key, to, gas = chain.signers[0], desk.deployment.escrow, batch * _GAS + _PROMISE
        raws = [raw_bytes(key, nonce, to, data, gas) for nonce, data in enumerate(calls)]
        size = max(1, _IN_ONE_REQUEST // batch)
        bodies = [body_of(raws[first : first + size]) for first in range(0, len(raws), size)]
        start = time.perf_counter()
        send(chain.anvil.port, bodies)
        return count / (desk.wait_until_held(count) - start)


def _opened(chain: Setting, count: int) -> Desk:
    own = Collection("Benchmark", "BENCH", 14 * _DAY, VAULT, VAULT)
    deployment = deploy(chain.client, person(ADMIN), PEOPLE, own)
    role = keccak(text="OPERATOR_ROLE")
    changes = [encode_call("ReturnEscrow", "registerMerchant", VAULT)]
    changes += [encode_call("ReturnEscrow", "grantRole", role, s.address) for s in chain.signers]
    for change in changes:
        people = (person(ADMIN), person(SECOND_ADMIN))
        by_two_people(chain.client, *people, deployment.escrow, change)
    for first in range(0, count, _MINTED):
        _mint(chain, deployment, range(first, min(first + _MINTED, count)))
    return Desk(chain, deployment)


def _mint(chain: Setting, deployment: Deployment, ids: Sequence[int]) -> None:
    holders = [_customer(index).address for index in ids]
    data = encode_call("ReturnableNFT", "mintBatch", holders, list(ids), [10**17] * len(ids))
    account.send(chain.client, person(ADMIN), to=deployment.collection, data=data)


@cache
def _customer(index: int) -> LocalSigner:
    return LocalSigner(hashlib.sha256(b"customer %d of the benchmark" % index).hexdigest())
