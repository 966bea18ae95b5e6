"""Who may do what with a return: a statement for machines, true by construction and by test.

Whoever proposes a decision, a model or an agent, holds no tool that moves money or tokens.
"""

from __future__ import annotations

from typing import Any

from settlement.commands.access import OPERATOR_SCOPES, SCOPES, SENIOR_SCOPES

#: What nobody who proposes a decision can do with that right alone.
NEVER = ("move_money", "move_tokens", "sign_transactions", "change_the_policy_alone")


def statement() -> dict[str, Any]:
    """The statement of authority, version 1."""
    return {
        "version": 1,
        "proposers": [
            {
                "who": "policy",
                "may": ["approve", "deny", "escalate"],
                "may_not": list(NEVER),
                "bounds": "a version that one person drafted and another put in force",
            },
            {
                "who": "risk_model",
                "may": ["escalate"],
                "may_not": ["approve", "deny", *NEVER],
                "bounds": "its hash must be that of its content; without it the rule score stands",
            },
            {
                "who": "message_reader",
                "may": ["escalate"],
                "may_not": ["approve", "deny", *NEVER],
                "bounds": "what a message says is a claim, never an instruction",
            },
            {
                "who": "reviewer",
                "scope": "reviews:write",
                "may": ["approve", "deny", "ask", "override_with_a_reason"],
                "may_not": list(NEVER),
                "bounds": "up to the policy's approval_limits; never a case of their own",
            },
            {
                "who": "second_reviewer",
                "scope": "reviews:above",
                "may": ["confirm", "reject"],
                "may_not": ["confirm_an_own_proposal", *NEVER],
            },
            {
                "who": "customer",
                "may": ["request", "cancel", "give_evidence", "appeal", "sign"],
                "may_not": ["approve", "choose_the_amount_paid", *NEVER],
            },
        ],
        "movers": {
            "tokens": "the holder's own signature, then the escrow contract",
            "money": "a leg that was stored before it, by the worker, each once",
        },
        "always": [
            "money out is at most money in, per line, pending payouts included",
            "nothing is approved above a cap or outside the policy in force",
            "no payout before the hold is committed on chain and final",
            "a payout to anybody but the payer goes to a person",
            "a statutory right that is proven is not denied by a policy",
        ],
        "scopes": {
            "merchant": [*SCOPES, *SENIOR_SCOPES],
            "operator": list(OPERATOR_SCOPES),
        },
    }
