// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {TwoPersonAccess} from "./TwoPersonAccess.sol";
import {BoundedCall} from "./lib/BoundedCall.sol";
import {NftMover, Standard} from "./lib/NftMover.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// @title Merchants, their vaults and the money they keep here for refunds
/// @notice Invariant, for every asset: what the escrow has is at least the sum of all floats and all claims. A float
/// belongs to one merchant and pays only that merchant's returns; a claim belongs to its recipient for ever.
abstract contract MerchantFloat is TwoPersonAccess, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Stands for the native coin (EIP-7528).
    address public constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    /// @notice Gas a recipient gets to take a coin refund: several times what a Safe needs, too little for mischief.
    uint256 public constant PUSH_GAS = 50_000;

    struct Merchant {
        address vault;
        uint32 index;
    }

    struct IndexedMerchant {
        bytes32 id;
        address vault;
    }

    mapping(bytes32 merchant => Merchant) private _merchants;
    /// @dev A hold refers to its merchant by a four-byte index, which fits into a slot that it writes anyway.
    mapping(uint32 index => IndexedMerchant) private _byIndex;
    uint32 private _merchantCount;
    mapping(bytes32 merchant => mapping(address asset => uint256)) private _floats;
    mapping(address asset => mapping(address recipient => uint256)) private _claims;

    /// @notice Introduces a merchant. Its vault is fixed for ever in this version.
    /// @param merchant Its id, not used before.
    /// @param vault Where its returned tokens go; should be able to hold ERC-721 and ERC-1155.
    function registerMerchant(bytes32 merchant, address vault) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (vault == address(0) || vault == address(this)) revert ReturnEscrowBadVault(vault);
        address known = _merchants[merchant].vault;
        if (known != address(0)) revert ReturnEscrowMerchantKnown(merchant, known);
        uint32 index = ++_merchantCount;
        _merchants[merchant] = Merchant(vault, index);
        _byIndex[index] = IndexedMerchant(merchant, vault);
        emit MerchantRegistered(merchant, vault);
    }

    /// @notice Adds to a merchant's float; anybody may. Credits what arrives, not what was said.
    /// @param merchant A registered merchant.
    /// @param asset ERC-20, or {NATIVE} with the same amount as value.
    /// @param amount Minor units to pull from the caller.
    function fundFloat(bytes32 merchant, address asset, uint256 amount) external payable nonReentrant {
        _merchantOf(merchant);
        uint256 expected = asset == NATIVE ? amount : 0;
        if (msg.value != expected) revert ReturnEscrowWrongValue(msg.value, expected);
        uint256 received = asset == NATIVE ? amount : _pullAsset(asset, amount);
        if (received == 0) revert ReturnEscrowWrongAmount(0);
        _floats[merchant][asset] += received;
        emit FloatFunded(merchant, asset, received, msg.sender);
    }

    /// @notice Takes free float out, by a treasurer. Claims are not float and stay.
    /// @param merchant Whose float.
    /// @param asset ERC-20 or {NATIVE}.
    /// @param amount Minor units, at most the float.
    /// @param to Receiver, not zero and not this contract.
    function withdrawFloat(bytes32 merchant, address asset, uint256 amount, address to)
        external
        onlyRole(TREASURER_ROLE)
        nonReentrant
    {
        _requirePayable(to);
        if (amount == 0) revert ReturnEscrowWrongAmount(0);
        _debitFloat(merchant, asset, amount);
        emit FloatWithdrawn(merchant, asset, amount, to);
        _pay(asset, to, amount);
    }

    /// @notice Fetches a refund that could not be pushed to the caller. Never paused, never expires.
    /// @param asset The asset of the refund.
    function claim(address asset) external nonReentrant {
        uint256 amount = _claims[asset][msg.sender];
        if (amount == 0) revert ReturnEscrowNothingToClaim(asset, msg.sender);
        delete _claims[asset][msg.sender];
        emit Claimed(msg.sender, asset, amount);
        _pay(asset, msg.sender, amount);
    }

    /// @notice What a merchant has left for refunds, in minor units. Owed claims are not in it.
    function floatOf(bytes32 merchant, address asset) external view returns (uint256) {
        return _floats[merchant][asset];
    }

    /// @notice What a recipient can fetch with {claim}, in minor units.
    function claimable(address asset, address recipient) external view returns (uint256) {
        return _claims[asset][recipient];
    }

    /// @notice A merchant's vault, zero if there is no such merchant.
    function vaultOf(bytes32 merchant) external view returns (address) {
        return _merchants[merchant].vault;
    }

    /// @dev Takes from this merchant's float and from nobody else's.
    function _debitFloat(bytes32 merchant, address asset, uint256 amount) internal {
        uint256 available = _floats[merchant][asset];
        if (available < amount) revert ReturnEscrowFloatTooLow(merchant, asset, available, amount);
        unchecked {
            _floats[merchant][asset] = available - amount;
        }
    }

    /// @dev Pays a refund that is already debited.
    /// @return pushed False if the recipient refused the coin, and the refund became its claim.
    function _payRefund(address asset, address recipient, uint256 amount) internal returns (bool pushed) {
        if (asset != NATIVE) {
            _payErc20(asset, recipient, amount);
            return true;
        }
        // An operator must not turn a push into a claim by sending too little gas: 63/64 has to cover the stipend.
        uint256 needed = PUSH_GAS * 64 / 63 + 40_000;
        if (gasleft() < needed) revert ReturnEscrowGasTooLow(gasleft(), needed);
        (pushed,) = BoundedCall.tryCall(recipient, PUSH_GAS, amount, "");
        if (!pushed) _claims[asset][recipient] += amount;
    }

    /// @dev Reverts if there is no such merchant.
    function _merchantOf(bytes32 merchant) internal view returns (Merchant memory found) {
        found = _merchants[merchant];
        if (found.vault == address(0)) revert ReturnEscrowMerchantUnknown(merchant);
    }

    /// @dev The merchant a hold refers to.
    function _merchantAt(uint32 index) internal view returns (IndexedMerchant storage) {
        return _byIndex[index];
    }

    /// @dev Money sent to the escrow itself would belong to nobody.
    function _requirePayable(address to) internal view {
        if (to == address(0) || to == address(this)) revert ReturnEscrowBadRecipient(to);
    }

    /// @dev Pays the caller's choice of receiver with all gas; failing fails the whole call.
    function _pay(address asset, address to, uint256 amount) private {
        if (asset != NATIVE) return _payErc20(asset, to, amount);
        (bool ok,) = BoundedCall.tryCall(to, gasleft(), amount, "");
        if (!ok) revert ReturnEscrowPaymentFailed(asset, to, amount);
    }

    /// @dev Reads the own balance back: a token that pays nothing, or charges the sender on top, would eat into what
    /// belongs to other merchants. A fee on the receiver's side is the recipient's to see in what it signed.
    function _payErc20(address asset, address to, uint256 amount) private {
        uint256 before = IERC20(asset).balanceOf(address(this));
        IERC20(asset).safeTransfer(to, amount);
        uint256 left = IERC20(asset).balanceOf(address(this));
        unchecked {
            if (before - left != amount) revert ReturnEscrowPaymentUnproven(asset, before - left, amount);
        }
    }

    /// @dev Collections are refused as assets: with a hybrid contract a float withdrawal could move a held token.
    function _pullAsset(address asset, uint256 amount) private returns (uint256 received) {
        if (asset.code.length == 0 || NftMover.standardOf(asset) != Standard.None) {
            revert ReturnEscrowUnsupportedAsset(asset);
        }
        uint256 before = IERC20(asset).balanceOf(address(this));
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        uint256 balance = IERC20(asset).balanceOf(address(this));
        return balance > before ? balance - before : 0;
    }
}
