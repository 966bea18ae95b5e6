// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What the customer gets. `CryptoRefund` is paid by the escrow itself, the others off chain.
enum Remedy {
    FiatRefund,
    CryptoRefund,
    StoreCredit
}

/// @notice Where a line is. `Held` and `Committed` are in custody; the four after them are final.
enum HoldState {
    None,
    Held,
    Committed,
    Settled,
    Burned,
    Released,
    Reclaimed
}

/// @notice What a holder signs (EIP-712): exactly this token may move for exactly this remedy, until a deadline.
struct ReturnAuthorization {
    bytes32 line; // the return line (a UUID in the low 16 bytes)
    bytes32 merchant; // whose float and vault
    address holder; // signer, and owner of the token
    address token;
    uint256 tokenId;
    uint256 amount; // 1 for ERC-721; the quantity for ERC-1155
    uint8 remedy; // Remedy
    address asset; // of the refund: ERC-20; 0xEeee…EEeE for the native coin (EIP-7528); address(ISO 4217 number) for fiat
    uint256 refund; // minor units of the asset
    address recipient; // of a crypto refund; the holder otherwise
    uint48 deadline; // last second at which the signature may be used
    uint48 reclaimAfter; // once this second is over the depositor may take the token back
    uint48 commitUntil; // the reclaim date once the hold is committed
}

/// @notice A token in escrow, or what is left of one.
/// @dev For a line that was swapped in one step nothing was ever held: `state` is Settled, `depositor` is the holder
/// who was refunded, `merchant` is set, and the dates and token fields are zero (the Swapped event has them).
struct Hold {
    address depositor;
    uint48 reclaimAfter; // the reclaim date in force: equals commitUntil once committed
    uint48 commitUntil;
    uint8 state; // HoldState
    bytes32 merchant;
    address token;
    uint256 tokenId;
    uint256 amount;
}

/// @title Events and errors of the return escrow
/// @notice Errors are facts with values: a relayer can tell from one what to do, without reading more state.
interface IReturnEscrow {
    /// @notice A merchant exists from now on, with a vault that never changes.
    event MerchantRegistered(bytes32 indexed merchant, address vault);
    /// @notice A token came into escrow; its depositor can take it back once `reclaimAfter` is over.
    event Deposited(
        bytes32 indexed line,
        bytes32 indexed merchant,
        address indexed depositor,
        address token,
        uint256 tokenId,
        uint256 amount,
        uint48 reclaimAfter
    );
    /// @notice The reclaim date moved, once, to the second date that the holder signed.
    event Committed(bytes32 indexed line, uint48 reclaimAfter);
    /// @notice A held token went to its merchant's vault.
    event Settled(bytes32 indexed line, address indexed vault, address token, uint256 tokenId, uint256 amount);
    /// @notice A held token is gone: `destroyed` by its own contract, or else parked at the dead address.
    event Burned(bytes32 indexed line, address token, uint256 tokenId, uint256 amount, bool destroyed);
    /// @notice The operator gave a held token back to its depositor.
    event Released(bytes32 indexed line, address indexed depositor, address token, uint256 tokenId, uint256 amount);
    /// @notice A depositor took a held token back after its date.
    event Reclaimed(bytes32 indexed line, address indexed depositor, address token, uint256 tokenId, uint256 amount);
    /// @notice A token went from its holder to the vault, against the Refunded event of the same line.
    event Swapped(
        bytes32 indexed line,
        bytes32 indexed merchant,
        address indexed holder,
        address vault,
        address token,
        uint256 tokenId,
        uint256 amount
    );
    /// @notice A refund left the merchant's float: `pushed` to the recipient, or else reserved as its claim.
    event Refunded(
        bytes32 indexed line,
        bytes32 indexed payoutId,
        address indexed recipient,
        address asset,
        uint256 amount,
        bool pushed
    );
    /// @notice A recipient fetched what could not be pushed.
    event Claimed(address indexed recipient, address asset, uint256 amount);
    /// @notice A merchant's float grew by what really arrived.
    event FloatFunded(bytes32 indexed merchant, address indexed asset, uint256 amount, address from);
    /// @notice A treasurer took free float out.
    event FloatWithdrawn(bytes32 indexed merchant, address indexed asset, uint256 amount, address to);
    /// @notice A holder made its own authorization unusable.
    event AuthorizationCanceled(bytes32 indexed line, bytes32 digest);
    /// @notice An admin asked for a role change; a second admin has to confirm it.
    event RoleProposed(bytes32 indexed role, address indexed account, bool grant, address indexed proposer);
    /// @notice An admin withdrew a proposed role change.
    event RoleProposalCanceled(bytes32 indexed role, address indexed account, bool grant, address indexed canceler);

    /// @notice An address that must be given is zero.
    error ReturnEscrowZeroAddress();
    /// @notice A payment may not go to this address: zero, or the escrow itself.
    error ReturnEscrowBadRecipient(address recipient);
    /// @notice A vault may not be this address: zero, or the escrow itself.
    error ReturnEscrowBadVault(address vault);
    /// @notice This function does not serve that remedy.
    error ReturnEscrowWrongRemedy(bytes32 line, uint8 remedy);
    /// @notice The signature's last second is over.
    error ReturnEscrowDeadlinePassed(uint48 deadline);
    /// @notice The first reclaim date is not in the future, or the second is before the first.
    error ReturnEscrowBadReclaimDates(uint48 reclaimAfter, uint48 commitUntil);
    /// @notice A line is held or swapped once, ever.
    error ReturnEscrowLineUsed(bytes32 line);
    /// @notice The authorization was used or canceled.
    error ReturnEscrowAuthorizationUsed(bytes32 digest);
    /// @notice A payout id pays once, ever.
    error ReturnEscrowPayoutUsed(bytes32 payoutId);
    /// @notice A refund needs a payout id other than zero.
    error ReturnEscrowPayoutMissing(bytes32 line);
    /// @notice A crypto refund of nothing is never what a holder meant to sign.
    error ReturnEscrowZeroRefund(bytes32 line);
    /// @notice No merchant has this id.
    error ReturnEscrowMerchantUnknown(bytes32 merchant);
    /// @notice The merchant has its vault already, and keeps it.
    error ReturnEscrowMerchantKnown(bytes32 merchant, address vault);
    /// @notice Not 65 bytes with a low s by the holder, and not accepted by the holder's code (EIP-1271).
    error ReturnEscrowInvalidSignature(address holder);
    /// @notice This account does not own the token, or not this many of it, or is not the holder of the authorization.
    error ReturnEscrowNotHolder(address token, uint256 tokenId, address holder);
    /// @notice The merchant's own vault asks for a refund for a token that it has.
    error ReturnEscrowHolderIsVault(address vault);
    /// @notice Only the depositor may take the token back.
    error ReturnEscrowNotDepositor(bytes32 line, address caller);
    /// @notice The line is in another state than this function needs.
    error ReturnEscrowWrongState(bytes32 line, HoldState state);
    /// @notice Too late to commit: the depositor may already take the token back.
    error ReturnEscrowReclaimOpen(uint48 reclaimAfter);
    /// @notice Too early to reclaim.
    error ReturnEscrowReclaimTooEarly(uint48 reclaimAfter);
    /// @notice Neither ERC-721 nor ERC-1155 by ERC-165.
    error ReturnEscrowUnsupportedToken(address token);
    /// @notice No contract, or a collection of tokens: not an asset for refunds.
    error ReturnEscrowUnsupportedAsset(address asset);
    /// @notice Zero, or not 1 for an ERC-721 token.
    error ReturnEscrowWrongAmount(uint256 amount);
    /// @notice The token refused to move; `reason` is what it reverted with, at most 256 bytes.
    error ReturnEscrowTransferFailed(address token, uint256 tokenId, bytes reason);
    /// @notice The token claims to have moved and has not.
    error ReturnEscrowTransferUnproven(address token, uint256 tokenId, address to);
    /// @notice The coin sent along differs from the amount said.
    error ReturnEscrowWrongValue(uint256 sent, uint256 expected);
    /// @notice The merchant's own float does not cover this.
    error ReturnEscrowFloatTooLow(bytes32 merchant, address asset, uint256 available, uint256 needed);
    /// @notice There is nothing to fetch.
    error ReturnEscrowNothingToClaim(address asset, address recipient);
    /// @notice The receiver refused the coin.
    error ReturnEscrowPaymentFailed(address asset, address to, uint256 amount);
    /// @notice An asset took something else from the escrow than it was asked to pay.
    error ReturnEscrowPaymentUnproven(address asset, uint256 taken, uint256 expected);
    /// @notice Too little gas to give the recipient a fair chance to take the coin.
    error ReturnEscrowGasTooLow(uint256 left, uint256 needed);
    /// @notice Tokens come in by deposit only: a safe transfer that the escrow did not ask for is turned away.
    error ReturnEscrowUnsolicitedToken(address token);
    /// @notice Roles change by proposal and confirmation only.
    error ReturnEscrowTwoPeopleNeeded();
    /// @notice Nobody who is still an admin proposed this.
    error ReturnEscrowNotProposed(bytes32 role, address account, bool grant);
    /// @notice The second person is the first one.
    error ReturnEscrowSamePerson(address account);
    /// @notice Two admins are the least with whom roles can still change.
    error ReturnEscrowTooFewAdmins(uint256 remaining);
}
