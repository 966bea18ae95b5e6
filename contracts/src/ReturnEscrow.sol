// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "./DeskAccess.sol";
import {IERC4494} from "./IERC4494.sol";
import {MerchantFloat} from "./MerchantFloat.sol";
import {Remedy, ReturnAuthorization, ReturnAuthorizations} from "./ReturnAuthorization.sol";
import {TokenCustody} from "./TokenCustody.sol";
import {WalletDeployer} from "./WalletDeployer.sol";
import {BoundedCall} from "./lib/BoundedCall.sol";
import {Standard} from "./lib/NftMover.sol";
import {Signatures} from "./lib/Signatures.sol";
import {AccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/AccessControlEnumerable.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @notice Where a line is, or what became of a payout id. `Held` and `Committed` are in custody; those after are final.
enum State {
    None,
    Held,
    Committed,
    Settled,
    Burned,
    Released,
    Reclaimed,
    Paid,
    Canceled
}

/// @title Return escrow
/// @notice Holds tokens that customers return, and pays their crypto refunds from the merchant's own float. A holder
/// signs one message and sends no transaction. A held token can go to its depositor, to the merchant's vault or into
/// the fire, and nowhere else; after a date that the holder signed, the depositor takes it back without anybody's help.
/// @dev Not upgradeable. What is remembered of a line is one word: the hash of the authorization and a state. Whoever
/// does something with a hold presents the authorization again; the {Deposited} event has it. Every external call to a
/// token, recipient or wallet comes after the state change that it belongs to, under a lock, and its effect is read
/// back. Trust: the operator decides which signed returns happen, within its limits; the second approver, what is
/// above them. See docs/contracts.md for who could want what.
contract ReturnEscrow is MerchantFloat, TokenCustody {
    using ReturnAuthorizations for ReturnAuthorization;

    /// @notice EIP-712 type hash of a cancellation; `authorization` is the struct hash of what is canceled.
    bytes32 public constant CANCELLATION_TYPEHASH =
        keccak256("ReturnCancellation(bytes32 line,address holder,bytes32 authorization)");
    /// @notice Gas for the wallet that an EIP-6492 signature says how to deploy.
    uint256 public constant WALLET_GAS = 2_000_000;
    /// @notice Deploys wallets that have signed before they exist. It has no rights anywhere.
    WalletDeployer public immutable WALLET_DEPLOYER;

    /// @dev Ends a signature of a wallet that may not exist yet (EIP-6492).
    bytes32 private constant _UNDEPLOYED = 0x6492649264926492649264926492649264926492649264926492649264926492;
    /// @dev Low byte of a word: the state in four bits, and this bit for an ERC-1155 token.
    uint256 private constant _MULTI = 0x10;

    /// @dev By line or payout id: 248 bits of the hash of what it is about, then the low byte. One name space: an id
    /// serves one return or one payout, ever. A payout's id has sixteen zero bytes where a line has its holder.
    mapping(bytes32 id => bytes32 word) private _words;

    /// @notice A token came into escrow. The authorization is all that is needed to take it back.
    event Deposited(
        bytes32 indexed line, address indexed vault, address indexed depositor, ReturnAuthorization authorization
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
    event Reclaimed(
        bytes32 indexed line, address indexed depositor, address to, address token, uint256 tokenId, uint256 amount
    );
    /// @notice A token went from its holder to the vault against a refund, or (`asset` is a collection, `refund` an id)
    /// against another token.
    event Swapped(
        bytes32 indexed line,
        address indexed vault,
        address holder,
        address token,
        uint256 tokenId,
        uint256 amount,
        address recipient,
        address asset,
        uint256 refund
    );
    /// @notice A holder was paid a part and keeps the token, against the Refunded event of the same line.
    event Kept(bytes32 indexed line, address indexed vault, address indexed holder, address token, uint256 tokenId);
    /// @notice A token from the vault replaced a held one.
    event Replaced(bytes32 indexed line, address indexed recipient, address token, uint256 tokenId);
    /// @notice A holder made its own line unusable.
    event AuthorizationCanceled(bytes32 indexed line, address indexed holder, bytes32 authorization);

    /// @notice This function does not serve that remedy.
    error ReturnEscrowWrongRemedy(bytes32 line, uint8 remedy);
    /// @notice The signature's last second is over.
    error ReturnEscrowDeadlinePassed(bytes32 line, uint48 deadline);
    /// @notice The first reclaim date is not in the future, or the second is before the first.
    error ReturnEscrowBadReclaimDates(bytes32 line, uint48 reclaimAfter, uint48 commitUntil);
    /// @notice An id serves one return or one payout, ever; `state` says what became of it.
    error ReturnEscrowIdUsed(bytes32 id, State state);
    /// @notice A payout's id is zero or more than sixteen bytes long.
    error ReturnEscrowBadPayoutId(bytes32 id);
    /// @notice A line begins with the last sixteen bytes of its holder's address.
    error ReturnEscrowForeignLine(bytes32 line, address holder);
    /// @notice Another authorization than the one that this line was deposited with.
    error ReturnEscrowOtherAuthorization(bytes32 line, bytes32 authorization);
    /// @notice The line is in another state than this function needs.
    error ReturnEscrowWrongState(bytes32 line, State state);
    /// @notice Too late to commit: the depositor may already take the token back.
    error ReturnEscrowReclaimOpen(bytes32 line, uint48 reclaimAfter);
    /// @notice Too early to reclaim.
    error ReturnEscrowReclaimTooEarly(bytes32 line, uint48 reclaimAfter);
    /// @notice Only the depositor may take the token back.
    error ReturnEscrowNotDepositor(bytes32 line, address caller);
    /// @notice Only the holder may cancel without a signature.
    error ReturnEscrowNotHolder(bytes32 line, address caller);
    /// @notice The merchant's own vault asks for a refund for a token that it has.
    error ReturnEscrowHolderIsVault(bytes32 line, address vault);

    /// @param people Who has which role.
    constructor(People memory people) DeskAccess(people) EIP712("Undrop ReturnEscrow", "1") {
        WALLET_DEPLOYER = new WalletDeployer();
    }

    /// @notice Takes a token into custody.
    /// @param auth What the holder signed, for any remedy but a partial refund.
    /// @param signature 65 bytes by the holder's key (also if it has delegated to code, EIP-7702), or whatever the
    /// holder's code accepts (EIP-1271), also wrapped with how to deploy that code first (EIP-6492).
    function deposit(ReturnAuthorization memory auth, bytes calldata signature) external operating {
        if (auth.remedy >= uint8(Remedy.PartialRefund)) revert ReturnEscrowWrongRemedy(auth.line, auth.remedy);
        if (auth.reclaimAfter <= block.timestamp || auth.commitUntil < auth.reclaimAfter) {
            revert ReturnEscrowBadReclaimDates(auth.line, auth.reclaimAfter, auth.commitUntil);
        }
        _use(auth, signature, State.Held);
        _requireMerchant(auth.vault);
        if (_pull(auth.token, auth.holder, address(this), auth.tokenId, auth.amount) == Standard.ERC1155) {
            _words[auth.line] |= bytes32(_MULTI);
        }
        emit Deposited(auth.line, auth.vault, auth.holder, auth);
    }

    /// @notice Moves the reclaim date, once, to the second date that the holder signed. Done before a payout outside
    /// that cannot be undone, so that the token cannot be reclaimed while the money is on its way.
    /// @param auth The authorization of the deposit.
    /// @param approval For a refund above the single limit of its currency: what a second person signed, see {payOut}.
    function commit(ReturnAuthorization memory auth, bytes calldata approval) external operating {
        if (!_paidOutside(auth)) revert ReturnEscrowWrongRemedy(auth.line, auth.remedy);
        _expect(auth, State.Held);
        if (block.timestamp > auth.reclaimAfter) revert ReturnEscrowReclaimOpen(auth.line, auth.reclaimAfter);
        _change(auth.line, State.Committed);
        _checkLimit(_refundOf(auth), approval);
        emit Committed(auth.line, auth.commitUntil);
    }

    /// @notice Ends a hold: the token goes to the merchant's vault, against the remedy. A refund that is paid outside
    /// needs a committed hold; a crypto refund or replacement is handed over here, both or neither.
    /// @param auth The authorization of the deposit.
    /// @param approval As for {swap}.
    function settle(ReturnAuthorization memory auth, bytes calldata approval) external operating {
        (Standard standard, Refund memory due) = _end(auth, State.Settled, approval);
        _deliver(standard, auth.token, auth.vault, auth.tokenId, auth.amount);
        emit Settled(auth.line, auth.vault, auth.token, auth.tokenId, auth.amount);
        _give(auth, due);
    }

    /// @notice As {settle}, but the token is destroyed by its own contract where that can be proven, and goes to the
    /// dead address otherwise.
    function burn(ReturnAuthorization memory auth, bytes calldata approval) external operating {
        (Standard standard, Refund memory due) = _end(auth, State.Burned, approval);
        bool destroyed = _destroy(standard, auth.token, auth.tokenId, auth.amount);
        emit Burned(auth.line, auth.token, auth.tokenId, auth.amount, destroyed);
        _give(auth, due);
    }

    /// @notice Gives a held token back to its depositor.
    function release(ReturnAuthorization memory auth) external operating {
        (, Standard standard) = _inCustody(auth);
        _change(auth.line, State.Released);
        _giveBack(standard, auth.token, auth.holder, auth.tokenId, auth.amount);
        emit Released(auth.line, auth.holder, auth.token, auth.tokenId, auth.amount);
    }

    /// @notice Takes a held token back, by its depositor, once the reclaim date in force is over. Nobody can stop it.
    /// @param auth The authorization of the deposit.
    /// @param to Where the depositor wants it.
    function reclaim(ReturnAuthorization memory auth, address to) external locked {
        if (msg.sender != auth.holder) revert ReturnEscrowNotDepositor(auth.line, msg.sender);
        _requirePayable(to);
        (State state, Standard standard) = _inCustody(auth);
        uint48 date = state == State.Committed ? auth.commitUntil : auth.reclaimAfter;
        if (block.timestamp <= date) revert ReturnEscrowReclaimTooEarly(auth.line, date);
        _change(auth.line, State.Reclaimed);
        _giveBack(standard, auth.token, to, auth.tokenId, auth.amount);
        emit Reclaimed(auth.line, auth.holder, to, auth.token, auth.tokenId, auth.amount);
    }

    /// @notice Token against refund or replacement in one transaction, both or neither: from the holder to the vault,
    /// and from that merchant's float or vault to the recipient. For a partial refund the token stays where it is.
    /// @param auth What the holder signed; its reclaim dates have no meaning here.
    /// @param signature As for {deposit}.
    /// @param approval Above the operator's limits, and for every replacement: what a second person signed, see
    /// {payOut}. Empty otherwise.
    function swap(ReturnAuthorization memory auth, bytes calldata signature, bytes calldata approval)
        external
        operating
    {
        if (_paidOutside(auth) || auth.remedy > uint8(type(Remedy).max)) {
            revert ReturnEscrowWrongRemedy(auth.line, auth.remedy);
        }
        _use(auth, signature, State.Settled);
        if (auth.holder == auth.vault) revert ReturnEscrowHolderIsVault(auth.line, auth.vault);
        Refund memory due = _reserve(auth, approval);
        if (auth.remedy == uint8(Remedy.PartialRefund)) {
            _requireHeld(auth.token, auth.holder, auth.tokenId, auth.amount);
            emit Kept(auth.line, auth.vault, auth.holder, auth.token, auth.tokenId);
            return _give(auth, due);
        }
        _pull(auth.token, auth.holder, auth.vault, auth.tokenId, auth.amount);
        _handOver(auth, due);
        _announce(auth);
    }

    /// @notice Pays from a merchant's float without a token: goodwill, or the part of an order that was paid in crypto.
    /// @param refund The payout; its id pays once, ever.
    /// @param approval Empty within the operator's limits; above them the approver's address (20 bytes), the deadline
    /// of the approval (6 bytes) and the signature of an EIP-712 `RefundApproval`.
    function payOut(Refund calldata refund, bytes calldata approval) external operating {
        if (refund.id == 0 || uint256(refund.id) >> 128 != 0) revert ReturnEscrowBadPayoutId(refund.id);
        _requirePayable(refund.recipient);
        _take(refund.id, keccak256(abi.encode(refund)), State.Paid);
        _debit(refund, approval);
        _payRefund(refund);
        emit Refunded(refund.id, refund.vault, refund.recipient, refund.asset, refund.amount);
    }

    /// @notice Asks a token for the approval that its owner signed (ERC-4494), to be followed in the same batch
    /// by what needs it. Tried and not required: anybody may have brought the same permit before, with the same effect.
    /// @param token Collection.
    /// @param tokenId Whose owner signed.
    /// @param deadline Of the permit.
    /// @param signature Of the permit, for this contract as spender.
    function tryPermit(address token, uint256 tokenId, uint256 deadline, bytes calldata signature) external operating {
        bytes memory call = abi.encodeCall(IERC4494.permit, (address(this), tokenId, deadline, signature));
        // Tried, not required: what needs the approval proves its own effect.
        // slither-disable-next-line unused-return
        BoundedCall.tryCall(token, gasleft(), 0, call);
    }

    /// @notice Makes an authorization unusable, and with it its line, by its holder; not paused.
    function cancel(ReturnAuthorization memory auth) external locked {
        if (msg.sender != auth.holder) revert ReturnEscrowNotHolder(auth.line, msg.sender);
        _cancel(auth, auth.hash());
    }

    /// @notice The same without gas for the holder: anybody may bring the signed EIP-712 `ReturnCancellation`.
    function cancelBySignature(ReturnAuthorization memory auth, bytes calldata signature) external locked {
        bytes32 authorization = auth.hash();
        bytes32 message = keccak256(abi.encode(CANCELLATION_TYPEHASH, auth.line, auth.holder, authorization));
        _checkSignature(auth.holder, _hashTypedDataV4(message), signature);
        _cancel(auth, authorization);
    }

    /// @notice What became of a line or payout id, whichever authorization it is about.
    function stateOf(bytes32 id) public view returns (State) {
        return State(uint256(_words[id]) & 0x0f);
    }

    /// @notice Whether the line was used with exactly this authorization.
    function isUsed(ReturnAuthorization memory auth) external view returns (bool) {
        return _isAbout(auth.line, auth.hash());
    }

    /// @notice The EIP-712 digest that the holder signs.
    function digestOf(ReturnAuthorization memory auth) external view returns (bytes32) {
        return _hashTypedDataV4(auth.hash());
    }

    /// @inheritdoc AccessControlEnumerable
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IERC1155Receiver).interfaceId || super.supportsInterface(interfaceId);
    }

    function _canBeItem(bytes4 selector) internal pure override returns (bool) {
        return selector == this.deposit.selector || selector == this.swap.selector || selector == this.settle.selector
            || selector == this.commit.selector || selector == this.burn.selector || selector == this.release.selector
            || selector == this.payOut.selector || selector == this.tryPermit.selector;
    }

    /// @dev Everything that must be true of any authorization, and the mark that it is used. What comes later in the
    /// transaction may revert, and undoes the mark: a failed return leaves its authorization valid.
    function _use(ReturnAuthorization memory auth, bytes calldata signature, State state) private {
        if (block.timestamp > auth.deadline) revert ReturnEscrowDeadlinePassed(auth.line, auth.deadline);
        _requirePayable(auth.recipient);
        if (!auth.isOwnLine()) revert ReturnEscrowForeignLine(auth.line, auth.holder);
        bytes32 authorization = auth.hash();
        _take(auth.line, authorization, state);
        _checkSignature(auth.holder, _hashTypedDataV4(authorization), signature);
    }

    /// @dev A wallet that does not exist yet is deployed by somebody without rights: this contract would otherwise make
    /// any call that a signature asks for.
    function _checkSignature(address signer, bytes32 digest, bytes calldata signature) private {
        if (signature.length > 32 && bytes32(signature[signature.length - 32:]) == _UNDEPLOYED) {
            bytes memory call = abi.encodeCall(WalletDeployer.isValid, (signer, digest, signature));
            bool ok = BoundedCall.tryCall(address(WALLET_DEPLOYER), WALLET_GAS, 0, call);
            if (!ok || BoundedCall.saidNo()) {
                revert Signatures.SignatureInvalid(signer, address(0), digest);
            }
        } else {
            Signatures.check(signer, digest, signature);
        }
    }

    /// @dev Ends a hold, and takes what is due to its depositor out of the float.
    function _end(ReturnAuthorization memory auth, State end, bytes calldata approval)
        private
        returns (Standard standard, Refund memory due)
    {
        if (_paidOutside(auth)) standard = _expect(auth, State.Committed);
        else (, standard) = _inCustody(auth);
        _change(auth.line, end);
        if (!_paidOutside(auth)) due = _reserve(auth, approval);
    }

    /// @dev What a remedy takes from the merchant, before anything moves.
    function _reserve(ReturnAuthorization memory auth, bytes calldata approval) private returns (Refund memory due) {
        due = _refundOf(auth);
        if (auth.remedy != uint8(Remedy.Replacement)) {
            _debit(due, approval);
        } else {
            _requireMerchant(auth.vault);
            _requireApproved(due, approval);
        }
    }

    /// @dev What a remedy gives to the customer, once the token has moved, with an event of its own.
    function _give(ReturnAuthorization memory auth, Refund memory due) private {
        if (_paidOutside(auth)) return;
        _handOver(auth, due);
        if (auth.remedy == uint8(Remedy.Replacement)) {
            emit Replaced(auth.line, auth.recipient, auth.asset, auth.refund);
        } else {
            emit Refunded(auth.line, auth.vault, auth.recipient, auth.asset, auth.refund);
        }
    }

    function _handOver(ReturnAuthorization memory auth, Refund memory due) private {
        if (auth.remedy == uint8(Remedy.Replacement)) {
            _pull(auth.asset, auth.vault, auth.recipient, auth.refund, 1);
        } else {
            _payRefund(due);
        }
    }

    /// @dev Apart from {swap}: together they hold more than the stack reaches where no IR is used, as for coverage.
    function _announce(ReturnAuthorization memory auth) private {
        emit Swapped(
            auth.line,
            auth.vault,
            auth.holder,
            auth.token,
            auth.tokenId,
            auth.amount,
            auth.recipient,
            auth.asset,
            auth.refund
        );
    }

    function _cancel(ReturnAuthorization memory auth, bytes32 authorization) private {
        if (!auth.isOwnLine()) revert ReturnEscrowForeignLine(auth.line, auth.holder);
        _take(auth.line, authorization, State.Canceled);
        emit AuthorizationCanceled(auth.line, auth.holder, authorization);
    }

    /// @dev An id is taken once, ever.
    function _take(bytes32 id, bytes32 about, State state) private {
        if (_words[id] != 0) revert ReturnEscrowIdUsed(id, stateOf(id));
        _words[id] = (about & ~bytes32(uint256(0xff))) | bytes32(uint256(state));
    }

    function _change(bytes32 id, State state) private {
        _words[id] = (_words[id] & ~bytes32(uint256(0x0f))) | bytes32(uint256(state));
    }

    /// @dev Held or committed, with this authorization.
    function _inCustody(ReturnAuthorization memory auth) private view returns (State state, Standard standard) {
        state = stateOf(auth.line);
        if (state != State.Committed) state = State.Held;
        standard = _expect(auth, state);
    }

    function _expect(ReturnAuthorization memory auth, State state) private view returns (Standard) {
        bytes32 authorization = auth.hash();
        if (stateOf(auth.line) != state) revert ReturnEscrowWrongState(auth.line, stateOf(auth.line));
        if (!_isAbout(auth.line, authorization)) revert ReturnEscrowOtherAuthorization(auth.line, authorization);
        return uint256(_words[auth.line]) & _MULTI == 0 ? Standard.ERC721 : Standard.ERC1155;
    }

    function _isAbout(bytes32 id, bytes32 about) private view returns (bool) {
        return _words[id] >> 8 == about >> 8;
    }

    function _paidOutside(ReturnAuthorization memory auth) private pure returns (bool) {
        return auth.remedy == uint8(Remedy.FiatRefund) || auth.remedy == uint8(Remedy.StoreCredit);
    }

    function _refundOf(ReturnAuthorization memory auth) private pure returns (Refund memory) {
        return Refund(auth.line, auth.vault, auth.asset, auth.refund, auth.recipient);
    }
}
