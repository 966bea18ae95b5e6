// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "./DeskAccess.sol";
import {Operated} from "./Operated.sol";
import {BoundedCall} from "./lib/BoundedCall.sol";
import {NftMover} from "./lib/NftMover.sol";
import {Signatures} from "./lib/Signatures.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title Merchants, their vaults, the money they keep here for refunds, and how much of it one person may move
/// @notice Invariant, for every asset: what the contract has is at least the sum of all floats and all claims. A float
/// belongs to one merchant and pays only that merchant's returns; a claim belongs to its recipient for ever.
abstract contract MerchantFloat is Operated, EIP712 {
    using SafeERC20 for IERC20;

    /// @notice Stands for the native coin (EIP-7528).
    address public constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    /// @notice Gas a recipient gets to take a coin refund: several times what a Safe needs, too little for mischief.
    uint256 public constant PUSH_GAS = 50_000;
    /// @notice EIP-712 type hash of what a second approver signs.
    bytes32 public constant APPROVAL_TYPEHASH = keccak256(
        "RefundApproval(bytes32 id,address vault,address asset,uint256 amount,address recipient,uint48 deadline)"
    );

    /// @notice What a merchant keeps here in one asset, and how much of it an operator may pay alone. One slot.
    /// @param balance Minor units.
    /// @param unit Limits count in 2**unit minor units; refunds count rounded up.
    /// @param single At most this in one refund.
    /// @param daily At most this within a day, which begins with its first refund and lasts 24 hours: so in no 24 hours
    /// more than twice this.
    /// @param left Of this day's `daily`.
    /// @param dayEnds Unix seconds. Zero if no limits were ever set, and then no float can be kept.
    struct Float {
        uint96 balance;
        uint8 unit;
        uint40 single;
        uint40 daily;
        uint40 left;
        uint32 dayEnds;
    }

    /// @dev What a refund is about, and what an approver signs.
    struct Refund {
        bytes32 id;
        address vault;
        address asset;
        uint256 amount;
        address recipient;
    }

    mapping(address vault => bool) private _merchants;
    mapping(address vault => mapping(address asset => Float)) private _floats;
    mapping(address asset => mapping(address recipient => uint256)) private _claims;

    /// @notice A merchant exists from now on, and is named by its vault.
    event MerchantRegistered(address indexed vault);
    /// @notice A merchant's refunds in this asset have new limits, in units of 2**unit minor units.
    event LimitsSet(address indexed vault, address indexed asset, uint8 unit, uint40 single, uint40 daily);
    /// @notice A merchant's float grew by what really arrived.
    event FloatFunded(address indexed vault, address indexed asset, uint256 amount, address from);
    /// @notice A treasurer sent free float to its merchant's vault.
    event FloatWithdrawn(address indexed vault, address indexed asset, uint256 amount);
    /// @notice A second person approved what was above the operator's limits.
    event RefundApproved(bytes32 indexed id, address indexed approver);
    /// @notice A refund left the merchant's float for its recipient.
    event Refunded(bytes32 indexed id, address indexed vault, address indexed recipient, address asset, uint256 amount);
    /// @notice The recipient of this refund refused the coin: it is reserved as the recipient's claim.
    event ClaimReserved(bytes32 indexed id, address indexed recipient, address asset, uint256 amount);
    /// @notice A recipient fetched what could not be pushed.
    event Claimed(address indexed recipient, address indexed asset, uint256 amount, address to);

    /// @notice No merchant has this vault.
    error MerchantUnknown(address vault);
    /// @notice The vault is registered already.
    error MerchantKnown(address vault);
    /// @notice A vault may not be this address: zero, or this contract.
    error MerchantBadVault(address vault);
    /// @notice The merchant's own float does not cover this.
    error FloatTooLow(address vault, address asset, uint256 available, uint256 needed);
    /// @notice A refund, deposit or withdrawal of nothing is never meant.
    error FloatZeroAmount();
    /// @notice The coin sent along differs from the amount said.
    error FloatWrongValue(uint256 sent, uint256 expected);
    /// @notice No limits were set for this asset, or it is no asset of this chain: no float can be kept in it.
    error FloatUnlistedAsset(address vault, address asset);
    /// @notice Limits make no sense: a unit above 2**56, or a single limit above the daily one.
    error FloatBadLimits(uint8 unit, uint40 single, uint40 daily);
    /// @notice No contract, or a collection of tokens: not an asset for refunds.
    error FloatUnsupportedAsset(address asset);
    /// @notice A payment may not go to this address: zero, or this contract.
    error FloatBadRecipient(address recipient);
    /// @notice Above what an operator may pay alone, and no second person has approved.
    error FloatApprovalMissing(bytes32 id, address asset, uint256 amount);
    /// @notice The approval's last second is over.
    error FloatApprovalExpired(bytes32 id, uint48 deadline);
    /// @notice The receiver refused the coin, or the asset the payment; `reason` is what it reverted with, at most 256
    /// bytes.
    error FloatPaymentFailed(address asset, address to, uint256 amount, bytes reason);
    /// @notice An asset took something else from this contract than it was asked to pay.
    error FloatPaymentUnproven(address asset, uint256 taken, uint256 expected);
    /// @notice Too little gas to give the recipient a fair chance to take the coin.
    error FloatGasTooLow(uint256 left, uint256 needed);
    /// @notice There is nothing to fetch.
    error FloatNothingToClaim(address asset, address recipient);

    /// @notice Introduces a merchant; takes two people. A merchant is its vault: who pays is also who gets the tokens.
    /// @param vault Where its returned tokens and withdrawn floats go; should be able to hold ERC-721, ERC-1155 and coin.
    function registerMerchant(address vault) external byTwoPeople {
        if (vault == address(0) || vault == address(this)) revert MerchantBadVault(vault);
        if (_merchants[vault]) revert MerchantKnown(vault);
        _merchants[vault] = true;
        emit MerchantRegistered(vault);
    }

    /// @notice Sets what an operator may pay alone; takes two people, and is in force at once. The day begins anew.
    /// @dev Collections are refused: with one of them, a payment of `amount` could move a held token of that id.
    /// @param vault A registered merchant's.
    /// @param asset ERC-20, {NATIVE}, or for refunds that are paid elsewhere `address(ISO 4217 number)`.
    /// @param unit See {Float}; at most 56.
    /// @param single See {Float}.
    /// @param daily See {Float}; means nothing for refunds that are paid elsewhere.
    function setLimits(address vault, address asset, uint8 unit, uint40 single, uint40 daily) external byTwoPeople {
        _requireMerchant(vault);
        if (unit > 56 || single > daily) revert FloatBadLimits(unit, single, daily);
        if (!_isFiat(asset) && asset != NATIVE && (asset.code.length == 0 || NftMover.isCollection(asset))) {
            revert FloatUnsupportedAsset(asset);
        }
        uint32 dayEnds = uint32(block.timestamp + 1 days);
        _floats[vault][asset] = Float(_floats[vault][asset].balance, unit, single, daily, daily, dayEnds);
        emit LimitsSet(vault, asset, unit, single, daily);
    }

    /// @notice Adds to a merchant's float; anybody may. Credits what arrives, not what was said.
    /// @param vault A registered merchant's.
    /// @param asset A listed ERC-20, or {NATIVE} with the same amount as value.
    /// @param amount Minor units to pull from the caller.
    function fundFloat(address vault, address asset, uint256 amount) external payable locked {
        _requireMerchant(vault);
        Float storage float = _floats[vault][asset];
        if (float.dayEnds == 0 || _isFiat(asset)) revert FloatUnlistedAsset(vault, asset);
        uint256 expected = asset == NATIVE ? amount : 0;
        if (msg.value != expected) revert FloatWrongValue(msg.value, expected);
        uint256 received = asset == NATIVE ? amount : _receive(asset, amount);
        if (received == 0) revert FloatZeroAmount();
        float.balance = SafeCast.toUint96(float.balance + received);
        emit FloatFunded(vault, asset, received, msg.sender);
    }

    /// @notice Sends free float to the merchant's vault, by a treasurer, and nowhere else. Claims are not float and stay.
    /// @param vault Whose float, and where to.
    /// @param asset ERC-20 or {NATIVE}.
    /// @param amount Minor units, at most the float.
    function withdrawFloat(address vault, address asset, uint256 amount) external onlyRole(TREASURER_ROLE) locked {
        if (amount == 0) revert FloatZeroAmount();
        Float storage float = _floats[vault][asset];
        if (float.balance < amount) revert FloatTooLow(vault, asset, float.balance, amount);
        float.balance -= uint96(amount);
        emit FloatWithdrawn(vault, asset, amount);
        _pay(asset, vault, amount);
    }

    /// @notice Fetches a refund that could not be pushed to the caller. Never paused, never expires.
    /// @param asset The asset of the refund.
    /// @param to Where the caller wants it: a contract that cannot take coin names somebody who can.
    function claim(address asset, address to) external locked {
        _requirePayable(to);
        uint256 amount = _claims[asset][msg.sender];
        if (amount == 0) revert FloatNothingToClaim(asset, msg.sender);
        delete _claims[asset][msg.sender];
        emit Claimed(msg.sender, asset, amount, to);
        _pay(asset, to, amount);
    }

    /// @notice What a merchant has left for refunds, in minor units, and its limits. Owed claims are not in it.
    function floatOf(address vault, address asset) external view returns (Float memory) {
        return _floats[vault][asset];
    }

    /// @notice What a recipient can fetch with {claim}, in minor units.
    function claimable(address asset, address recipient) external view returns (uint256) {
        return _claims[asset][recipient];
    }

    /// @notice Whether this is a registered merchant's vault.
    function isMerchant(address vault) external view returns (bool) {
        return _merchants[vault];
    }

    /// @dev Takes from this merchant's float and from nobody else's, within the operator's limits or approved.
    /// @param approval Empty, or approver (20 bytes), deadline (6 bytes) and signature of a {RefundApproval}.
    function _debit(Refund memory refund, bytes calldata approval) internal {
        if (refund.amount == 0) revert FloatZeroAmount();
        Float storage slot = _floats[refund.vault][refund.asset];
        Float memory float = slot;
        if (float.balance < refund.amount) {
            revert FloatTooLow(refund.vault, refund.asset, float.balance, refund.amount);
        }
        if (block.timestamp >= float.dayEnds) {
            (float.left, float.dayEnds) = (float.daily, uint32(block.timestamp + 1 days));
        }
        uint256 units = _units(refund.amount, float.unit);
        if (units > float.single || units > float.left) _requireApproved(refund, approval);
        else float.left = uint40(float.left - units);
        unchecked {
            float.balance = uint96(float.balance - refund.amount); // at least that, as seen above
        }
        _store(slot, float);
    }

    /// @dev For a refund that is paid elsewhere: above the single limit of its currency it needs the second person.
    function _checkLimit(Refund memory refund, bytes calldata approval) internal {
        Float storage float = _floats[refund.vault][refund.asset];
        if (_units(refund.amount, float.unit) > float.single) _requireApproved(refund, approval);
    }

    /// @dev A second person signed for exactly this. Used once, since the id is.
    function _requireApproved(Refund memory refund, bytes calldata approval) internal {
        if (approval.length < 26) revert FloatApprovalMissing(refund.id, refund.asset, refund.amount);
        address approver = address(bytes20(approval));
        uint48 deadline = uint48(bytes6(approval[20:26]));
        if (block.timestamp > deadline) revert FloatApprovalExpired(refund.id, deadline);
        if (approver == refund.recipient) revert DeskSamePerson(approver);
        _checkRole(APPROVER_ROLE, approver);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(APPROVAL_TYPEHASH, refund, deadline)));
        Signatures.check(approver, digest, approval[26:]);
        emit RefundApproved(refund.id, approver);
    }

    /// @dev Pays a refund that is already debited; a coin that is refused becomes the recipient's claim.
    function _payRefund(Refund memory refund) internal {
        if (refund.asset != NATIVE) return _payErc20(refund.asset, refund.recipient, refund.amount);
        // An operator must not turn a push into a claim by sending too little gas: 63/64 has to cover the stipend.
        uint256 needed = PUSH_GAS * 64 / 63 + 40_000;
        if (gasleft() < needed) revert FloatGasTooLow(gasleft(), needed);
        if (BoundedCall.tryCall(refund.recipient, PUSH_GAS, refund.amount, "")) return;
        _claims[NATIVE][refund.recipient] += refund.amount;
        emit ClaimReserved(refund.id, refund.recipient, NATIVE, refund.amount);
    }

    /// @dev Money sent to this contract itself would belong to nobody.
    function _requirePayable(address to) internal view {
        if (to == address(0) || to == address(this)) revert FloatBadRecipient(to);
    }

    function _requireMerchant(address vault) internal view {
        if (!_merchants[vault]) revert MerchantUnknown(vault);
    }

    /// @inheritdoc DeskAccess
    function _takesTwoPeople(bytes4 selector) internal pure virtual override returns (bool) {
        return selector == this.registerMerchant.selector || selector == this.setLimits.selector
            || super._takesTwoPeople(selector);
    }

    /// @dev Pays with all gas; failing fails the whole call.
    function _pay(address asset, address to, uint256 amount) private {
        if (asset != NATIVE) return _payErc20(asset, to, amount);
        if (BoundedCall.tryCall(to, gasleft(), amount, "")) return;
        revert FloatPaymentFailed(asset, to, amount, BoundedCall.returned());
    }

    /// @dev The own balance is read back: an asset that pays nothing, or charges the sender on top, would eat into what
    /// belongs to other merchants. A fee on the receiver's side is the recipient's to see in what it signed.
    function _payErc20(address asset, address to, uint256 amount) private {
        uint256 before = _balance(asset);
        bool ok = BoundedCall.tryCall(asset, gasleft(), 0, abi.encodeCall(IERC20.transfer, (to, amount)));
        if (!ok || BoundedCall.saidNo()) revert FloatPaymentFailed(asset, to, amount, BoundedCall.returned());
        uint256 left = _balance(asset);
        unchecked {
            if (before - left != amount) revert FloatPaymentUnproven(asset, before - left, amount);
        }
    }

    function _receive(address asset, uint256 amount) private returns (uint256 received) {
        uint256 before = _balance(asset);
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        uint256 balance = _balance(asset);
        return balance > before ? balance - before : 0;
    }

    /// @dev All that this contract has of an ERC-20, whomever it belongs to; 0 for what is none, as the coin.
    function _balance(address asset) internal view returns (uint256 balance) {
        // A failed reading counts as nothing, and then no movement is proven.
        // slither-disable-next-line unused-return
        (, balance) = BoundedCall.tryRead(asset, IERC20.balanceOf.selector, uint160(address(this)));
    }

    /// @dev One write; the compiler would read and write the slot once per field.
    function _store(Float storage slot, Float memory float) private {
        uint256 word = uint256(float.balance) | uint256(float.unit) << 96 | uint256(float.single) << 104
            | uint256(float.daily) << 144 | uint256(float.left) << 184 | uint256(float.dayEnds) << 224;
        assembly ("memory-safe") {
            sstore(slot.slot, word)
        }
    }

    /// @dev In limit units, rounded up.
    function _units(uint256 amount, uint8 unit) private pure returns (uint256) {
        // A rest is there or not: nobody can push this comparison off its value.
        // slither-disable-next-line incorrect-equality
        return (amount >> unit) + (amount & ((1 << unit) - 1) == 0 ? 0 : 1);
    }

    /// @dev ISO 4217 numbers have three digits.
    function _isFiat(address asset) private pure returns (bool) {
        return uint160(asset) < 1000;
    }
}
