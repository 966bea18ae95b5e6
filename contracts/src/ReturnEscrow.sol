// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hold, HoldState, Remedy, ReturnAuthorization} from "./IReturnEscrow.sol";
import {MerchantFloat} from "./MerchantFloat.sol";
import {TokenCustody} from "./TokenCustody.sol";
import {TwoPersonAccess} from "./TwoPersonAccess.sol";
import {HoldStore, StoredHold} from "./lib/HoldStore.sol";
import {NftMover, Standard} from "./lib/NftMover.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title Return escrow
/// @notice Holds tokens that customers return, and pays their crypto refunds from the merchant's own float. A holder
/// signs one message and sends no transaction. A held token can go to its depositor, to the merchant's vault or into
/// the fire, and nowhere else; after a date that the holder signed, the depositor takes it back without anybody's help.
/// @dev Not upgradeable. Every external call to a token, recipient or wallet comes after the state change that it
/// belongs to, under a reentrancy lock, and its effect is read back. Trust: the operator decides which signed returns
/// happen. It is trusted with the float of registered merchants, and to commit and take held tokens only where the
/// remedy is paid off chain; it cannot send a held token anywhere but to its depositor, the vault or the fire.
contract ReturnEscrow is MerchantFloat, TokenCustody, Pausable, EIP712 {
    using HoldStore for StoredHold;

    /// @notice EIP-712 type hash of {ReturnAuthorization}.
    bytes32 public constant AUTHORIZATION_TYPEHASH = keccak256(
        "ReturnAuthorization(bytes32 line,bytes32 merchant,address holder,address token,uint256 tokenId,uint256 amount,"
        "uint8 remedy,address asset,uint256 refund,address recipient,uint48 deadline,uint48 reclaimAfter,"
        "uint48 commitUntil)"
    );

    mapping(bytes32 line => StoredHold) private _holds;
    mapping(bytes32 digest => bool) private _used;
    mapping(bytes32 payoutId => bool) private _paid;

    /// @param adminA One of the two first admins.
    /// @param adminB The other one.
    /// @param operator Sends what holders signed.
    /// @param guardian Can pause.
    /// @param treasurer Can withdraw free float.
    constructor(address adminA, address adminB, address operator, address guardian, address treasurer)
        TwoPersonAccess(adminA, adminB, operator, guardian, treasurer)
        EIP712("Undrop ReturnEscrow", "1")
    {}

    /// @notice Takes a token into custody, for a remedy that is paid off chain.
    /// @param auth What the holder signed.
    /// @param signature 65 bytes by the holder's key, or whatever the holder's code accepts (EIP-1271).
    function deposit(ReturnAuthorization calldata auth, bytes calldata signature)
        external
        onlyRole(OPERATOR_ROLE)
        whenNotPaused
        nonReentrant
    {
        if (auth.remedy > uint8(type(Remedy).max) || auth.remedy == uint8(Remedy.CryptoRefund)) {
            revert ReturnEscrowWrongRemedy(auth.line, auth.remedy);
        }
        if (auth.reclaimAfter <= block.timestamp || auth.commitUntil < auth.reclaimAfter) {
            revert ReturnEscrowBadReclaimDates(auth.reclaimAfter, auth.commitUntil);
        }
        (StoredHold storage hold, Standard standard,) = _useAuthorization(auth, signature, HoldState.Held);
        hold.reclaimAfter = auth.reclaimAfter;
        hold.token = auth.token;
        hold.commitUntil = auth.commitUntil;
        hold.setToken(auth.tokenId, auth.amount);
        _pull(standard, auth.token, auth.holder, address(this), auth.tokenId, auth.amount);
        emit Deposited(auth.line, auth.merchant, auth.holder, auth.token, auth.tokenId, auth.amount, auth.reclaimAfter);
    }

    /// @notice Moves the reclaim date, once, to the second date that the holder signed. Done before a payout that
    /// cannot be undone, so that the token cannot be reclaimed while the money is on its way.
    function commit(bytes32 line) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        StoredHold storage hold = _holds[line];
        _requireState(line, hold, HoldState.Held);
        if (block.timestamp > hold.reclaimAfter) revert ReturnEscrowReclaimOpen(hold.reclaimAfter);
        uint48 commitUntil = hold.commitUntil;
        hold.state = uint8(HoldState.Committed);
        hold.reclaimAfter = commitUntil;
        emit Committed(line, commitUntil);
    }

    /// @notice Ends a committed hold: the token goes to the merchant's vault.
    function settle(bytes32 line) external onlyRole(OPERATOR_ROLE) whenNotPaused nonReentrant {
        StoredHold storage hold = _holds[line];
        _requireState(line, hold, HoldState.Committed);
        hold.state = uint8(HoldState.Settled);
        address vault = _merchantAt(hold.merchantIndex).vault;
        (address token, uint256 tokenId, uint256 amount) = (hold.token, hold.tokenIdOf(), hold.amountOf());
        _deliver(hold.standard, token, vault, tokenId, amount);
        emit Settled(line, vault, token, tokenId, amount);
    }

    /// @notice Ends a committed hold: the token is destroyed by its own contract where that can be proven, and goes to
    /// the dead address otherwise.
    function burn(bytes32 line) external onlyRole(OPERATOR_ROLE) whenNotPaused nonReentrant {
        StoredHold storage hold = _holds[line];
        _requireState(line, hold, HoldState.Committed);
        hold.state = uint8(HoldState.Burned);
        (address token, uint256 tokenId, uint256 amount) = (hold.token, hold.tokenIdOf(), hold.amountOf());
        bool destroyed = _destroy(hold.standard, token, tokenId, amount);
        emit Burned(line, token, tokenId, amount, destroyed);
    }

    /// @notice Gives a held token back to its depositor, who else; not paused.
    function release(bytes32 line) external onlyRole(OPERATOR_ROLE) nonReentrant {
        StoredHold storage hold = _holds[line];
        _requireInCustody(line, hold);
        (address depositor, address token, uint256 tokenId, uint256 amount) = _endWith(hold, HoldState.Released);
        emit Released(line, depositor, token, tokenId, amount);
    }

    /// @notice Takes a held token back, by its depositor, once the reclaim date in force is over. Nobody can stop it.
    function reclaim(bytes32 line) external nonReentrant {
        StoredHold storage hold = _holds[line];
        if (msg.sender != hold.depositor) revert ReturnEscrowNotDepositor(line, msg.sender);
        _requireInCustody(line, hold);
        if (block.timestamp <= hold.reclaimAfter) revert ReturnEscrowReclaimTooEarly(hold.reclaimAfter);
        (address depositor, address token, uint256 tokenId, uint256 amount) = _endWith(hold, HoldState.Reclaimed);
        emit Reclaimed(line, depositor, token, tokenId, amount);
    }

    /// @notice Token against refund, in one transaction: from the holder to the merchant's vault, from that merchant's
    /// float to the recipient. Both or neither.
    /// @param auth What the holder signed; its reclaim dates have no meaning here.
    /// @param signature As for {deposit}.
    /// @param payoutId Id of the payout; pays once, ever.
    function swapRefund(ReturnAuthorization calldata auth, bytes calldata signature, bytes32 payoutId)
        external
        onlyRole(OPERATOR_ROLE)
        whenNotPaused
        nonReentrant
    {
        if (auth.remedy != uint8(Remedy.CryptoRefund)) revert ReturnEscrowWrongRemedy(auth.line, auth.remedy);
        if (auth.refund == 0) revert ReturnEscrowZeroRefund(auth.line);
        if (payoutId == 0) revert ReturnEscrowPayoutMissing(auth.line);
        if (_paid[payoutId]) revert ReturnEscrowPayoutUsed(payoutId);
        (, Standard standard, address vault) = _useAuthorization(auth, signature, HoldState.Settled);
        if (auth.holder == vault) revert ReturnEscrowHolderIsVault(vault);
        _paid[payoutId] = true;
        _debitFloat(auth.merchant, auth.asset, auth.refund);
        _pull(standard, auth.token, auth.holder, vault, auth.tokenId, auth.amount);
        emit Swapped(auth.line, auth.merchant, auth.holder, vault, auth.token, auth.tokenId, auth.amount);
        bool pushed = _payRefund(auth.asset, auth.recipient, auth.refund);
        emit Refunded(auth.line, payoutId, auth.recipient, auth.asset, auth.refund, pushed);
    }

    /// @notice Makes an authorization unusable, by its holder; not paused.
    function cancelAuthorization(ReturnAuthorization calldata auth) external {
        if (msg.sender != auth.holder) revert ReturnEscrowNotHolder(auth.token, auth.tokenId, msg.sender);
        bytes32 digest = digestOf(auth);
        if (_used[digest]) revert ReturnEscrowAuthorizationUsed(digest);
        _used[digest] = true;
        emit AuthorizationCanceled(auth.line, digest);
    }

    /// @notice Stops deposit, commit, settle, burn and swapRefund; never reclaim, release, claim or cancel.
    function pause() external onlyRole(GUARDIAN_ROLE) {
        _pause();
    }

    /// @notice Ends a pause.
    function unpause() external onlyRole(GUARDIAN_ROLE) {
        _unpause();
    }

    /// @notice What is known about a line; all zero if nothing.
    function holdOf(bytes32 line) external view returns (Hold memory) {
        StoredHold storage hold = _holds[line];
        address token = hold.token;
        return Hold({
            depositor: hold.depositor,
            reclaimAfter: hold.reclaimAfter,
            commitUntil: hold.commitUntil,
            state: hold.state,
            merchant: _merchantAt(hold.merchantIndex).id,
            token: token,
            tokenId: hold.tokenIdOf(),
            amount: token == address(0) ? 0 : hold.amountOf()
        });
    }

    /// @notice Whether an authorization was used or canceled.
    function isUsed(bytes32 digest) external view returns (bool) {
        return _used[digest];
    }

    /// @notice Whether a payout id has paid.
    function isPaid(bytes32 payoutId) external view returns (bool) {
        return _paid[payoutId];
    }

    /// @notice The EIP-712 digest that the holder signs.
    function digestOf(ReturnAuthorization calldata auth) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(AUTHORIZATION_TYPEHASH, auth)));
    }

    /// @inheritdoc AccessControl
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IERC1155Receiver).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev Everything that must be true of any authorization, and the marks that make it true only once. A revert
    /// later in the transaction undoes the marks: a failed return leaves its authorization valid.
    function _useAuthorization(ReturnAuthorization calldata auth, bytes calldata signature, HoldState state)
        private
        returns (StoredHold storage hold, Standard standard, address vault)
    {
        if (block.timestamp > auth.deadline) revert ReturnEscrowDeadlinePassed(auth.deadline);
        _requirePayable(auth.recipient);
        hold = _holds[auth.line];
        if (hold.state != uint8(HoldState.None)) revert ReturnEscrowLineUsed(auth.line);
        Merchant memory merchant = _merchantOf(auth.merchant);
        vault = merchant.vault;
        standard = _standardFor(auth.token, auth.amount);
        _useSignature(auth, signature);
        hold.depositor = auth.holder;
        hold.state = uint8(state);
        hold.standard = standard;
        hold.merchantIndex = merchant.index;
    }

    /// @dev Low-s, 65-byte signatures only for accounts without code; the holder's own code decides otherwise.
    function _useSignature(ReturnAuthorization calldata auth, bytes calldata signature) private {
        bytes32 digest = digestOf(auth);
        if (_used[digest]) revert ReturnEscrowAuthorizationUsed(digest);
        if (!SignatureChecker.isValidSignatureNowCalldata(auth.holder, digest, signature)) {
            revert ReturnEscrowInvalidSignature(auth.holder);
        }
        _used[digest] = true;
    }

    /// @dev Ends a hold in the depositor's favour.
    function _endWith(StoredHold storage hold, HoldState state)
        private
        returns (address depositor, address token, uint256 tokenId, uint256 amount)
    {
        hold.state = uint8(state);
        (depositor, token, tokenId, amount) = (hold.depositor, hold.token, hold.tokenIdOf(), hold.amountOf());
        _giveBack(hold.standard, token, depositor, tokenId, amount);
    }

    function _requireState(bytes32 line, StoredHold storage hold, HoldState state) private view {
        if (hold.state != uint8(state)) revert ReturnEscrowWrongState(line, HoldState(hold.state));
    }

    function _requireInCustody(bytes32 line, StoredHold storage hold) private view {
        HoldState state = HoldState(hold.state);
        if (state != HoldState.Held && state != HoldState.Committed) revert ReturnEscrowWrongState(line, state);
    }
}
