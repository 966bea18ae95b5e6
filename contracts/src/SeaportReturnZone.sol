// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "./DeskAccess.sol";
import {
    AdvancedOrder,
    ConsiderationItem,
    CriteriaResolver,
    ISeaport,
    ISeaportZone,
    OfferItem,
    OrderParameters,
    Schema,
    ZoneParameters
} from "./ISeaport.sol";
import {MerchantFloat} from "./MerchantFloat.sol";
import {ReturnEscrow, State} from "./ReturnEscrow.sol";
import {TokenCustody} from "./TokenCustody.sol";
import {BoundedCall} from "./lib/BoundedCall.sol";
import {NftMover, Standard} from "./lib/NftMover.sol";
import {Signatures} from "./lib/Signatures.sol";
import {AccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/AccessControlEnumerable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @notice Returns by Seaport 1.6, for tokens that are approved for Seaport and not for our escrow. The customer signs
/// one order (token against refund) and sends no transaction; this contract, the order's zone, has the floats and is
/// the only one that can fill it: the refund goes to the recipient and the token to the merchant's vault, or neither.
/// @dev What the order binds, and how: token, amount, refund, recipient, dates and this contract by Seaport's own
/// signature check; the return line and the merchant by `zoneHash` = keccak256(abi.encode(line, vault)), see
/// {zoneHashOf}. A holder ends an order by {cancel}, by {cancelBySignature} without gas, at Seaport (cancel or
/// incrementCounter), or by waiting for its `endTime`.
///
/// Seaport asks a restricted order's zone before and after, unless the zone itself is the fulfiller. So whenever it
/// asks this one, somebody else is filling the order, and the answer is always no: there is no moment at which a
/// stranger's fulfilment would pass. Reentering {fulfil} is impossible (lock), reentering Seaport as well (its own).
contract SeaportReturnZone is MerchantFloat, ISeaportZone {
    using SafeERC20 for IERC20;

    /// @notice EIP-712 type hash of a cancellation.
    bytes32 public constant CANCELLATION_TYPEHASH = keccak256("LineCancellation(bytes32 line,address holder)");
    /// @notice Seaport 1.6.
    ISeaport public immutable SEAPORT;

    string private constant _NAME = "Undrop SeaportReturnZone";
    uint8 private constant _FULL_RESTRICTED = 2;
    uint8 private constant _COIN = 0;
    uint8 private constant _ERC20 = 1;
    uint8 private constant _ERC721 = 2;
    uint8 private constant _ERC1155 = 3;

    mapping(bytes32 line => State) private _states;

    /// @notice A holder made its line unusable here.
    event LineCanceled(bytes32 indexed line, address indexed holder);

    /// @notice No contract stands where Seaport should.
    error ZoneNoSeaport(address seaport);
    /// @notice Seaport asked about an order that somebody else than this contract tried to fill.
    error ZoneForeignFulfiller(bytes32 orderHash, address fulfiller);
    /// @notice A line serves one return, ever; `state` says what became of it.
    error ZoneLineUsed(bytes32 line, State state);
    /// @notice A line begins with the last sixteen bytes of its holder's address.
    error ZoneForeignLine(bytes32 line, address holder);
    /// @notice The merchant's own vault, or this contract, asks for a refund.
    error ZoneBadHolder(bytes32 line, address holder);
    /// @notice The order has another zone, or none.
    error ZoneForeignOrder(bytes32 line, address zone);
    /// @notice The order was signed for another line or another merchant.
    error ZoneOtherReturn(bytes32 line, bytes32 zoneHash, bytes32 expected);
    /// @notice Anybody could fill this order, or parts of it: not FULL_RESTRICTED (2).
    error ZoneWrongOrderType(bytes32 line, uint8 orderType);
    /// @notice Orders are filled as a whole: one of one.
    error ZonePartialFill(bytes32 line, uint120 numerator, uint120 denominator);
    /// @notice The order's first second (`startTime`) is to come, or its last (before `endTime`) is over.
    error ZoneNotInTime(bytes32 line, uint256 startTime, uint256 endTime);
    /// @notice An order is one token against one refund, as signed: nothing more, nothing added.
    error ZoneWrongItemCount(bytes32 line, uint256 offered, uint256 wanted, uint256 wantedAsSigned);
    /// @notice Not one ERC-721 token, nor a fixed amount of an ERC-1155 token, by its id.
    error ZoneBadOffer(bytes32 line, uint8 itemType, uint256 startAmount, uint256 endAmount);
    /// @notice Not a fixed amount of the coin or of an ERC-20.
    error ZoneBadRefund(
        bytes32 line, uint8 itemType, address token, uint256 identifier, uint256 startAmount, uint256 endAmount
    );
    /// @notice Seaport, the token, the asset or the recipient refused; `reason` is at most 256 bytes of what Seaport
    /// reverted with, empty if it ran out of gas.
    error ZoneFulfilmentFailed(bytes32 line, bytes reason);

    /// @notice Coin comes in by {fundFloat} only; anything else would belong to nobody.
    error ZoneUnsolicitedCoin(address from);

    /// @param people Who has which role.
    /// @param seaport Seaport 1.6.
    constructor(People memory people, address seaport) DeskAccess(people) EIP712(_NAME, "1") {
        if (seaport.code.length == 0) revert ZoneNoSeaport(seaport);
        SEAPORT = ISeaport(seaport);
    }

    /// @dev Seaport gives all the coin that it has to whoever filled an order. Anybody can force some into it; a zone
    /// that could not take that would be stopped by a single wei. It belongs to nobody and stays here.
    receive() external payable {
        if (msg.sender != address(SEAPORT)) revert ZoneUnsolicitedCoin(msg.sender);
    }

    /// @notice Fills a holder's order: token to the vault, refund from that merchant's float to the order's recipient.
    /// @param line Return line: the last sixteen bytes of the holder's address, then a UUID.
    /// @param vault The merchant's.
    /// @param order One token against one refund, FULL_RESTRICTED to this zone, signed by the holder under its current
    /// counter. The signature may be empty if the order was validated at Seaport before.
    /// @param approval Above the operator's limits what a second person signed, with the line as its id: approver (20
    /// bytes), deadline (6 bytes), signature of an EIP-712 `RefundApproval`. Empty otherwise.
    function fulfil(bytes32 line, address vault, AdvancedOrder calldata order, bytes calldata approval)
        external
        operating
    {
        _checkBinding(line, vault, order.parameters);
        _checkShape(line, order);
        Refund memory refund = _refundOf(line, vault, order.parameters.consideration[0]);
        _states[line] = State.Settled;
        _debit(refund, approval);
        _exchange(refund, order);
        _tell(refund, order.parameters);
    }

    /// @notice Makes a line unusable here, by its holder; not paused.
    function cancel(bytes32 line) external locked {
        _cancel(line, msg.sender);
    }

    /// @notice The same without gas for the holder: anybody may bring the signed EIP-712 `LineCancellation`.
    /// @param signature By the holder's key, or accepted by its code (EIP-1271).
    function cancelBySignature(bytes32 line, address holder, bytes calldata signature) external locked {
        bytes32 message = keccak256(abi.encode(CANCELLATION_TYPEHASH, line, holder));
        Signatures.check(holder, _hashTypedDataV4(message), signature);
        _cancel(line, holder);
    }

    /// @notice None, Settled or Canceled.
    function stateOf(bytes32 line) external view returns (State) {
        return _states[line];
    }

    /// @inheritdoc ISeaportZone
    /// @dev Always refused, see above.
    function authorizeOrder(ZoneParameters calldata order) external pure override returns (bytes4) {
        revert ZoneForeignFulfiller(order.orderHash, order.fulfiller);
    }

    /// @inheritdoc ISeaportZone
    /// @dev Always refused, see above.
    function validateOrder(ZoneParameters calldata order) external pure override returns (bytes4) {
        revert ZoneForeignFulfiller(order.orderHash, order.fulfiller);
    }

    /// @inheritdoc ISeaportZone
    function getSeaportMetadata() external pure override returns (string memory name, Schema[] memory schemas) {
        return (_NAME, new Schema[](0));
    }

    /// @notice The `zoneHash` of an order for this line and this merchant.
    function zoneHashOf(bytes32 line, address vault) public pure returns (bytes32) {
        return keccak256(abi.encode(line, vault));
    }

    /// @inheritdoc AccessControlEnumerable
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(AccessControlEnumerable, ISeaportZone)
        returns (bool)
    {
        return interfaceId == type(ISeaportZone).interfaceId || super.supportsInterface(interfaceId);
    }

    function _canBeItem(bytes4 selector) internal pure override returns (bool) {
        return selector == this.fulfil.selector;
    }

    /// @dev Seaport and the token run strangers' code. Nothing they say is believed: the vault has the token, and this
    /// contract paid what was debited, or everything is undone.
    function _exchange(Refund memory refund, AdvancedOrder calldata order) private {
        OfferItem calldata item = order.parameters.offer[0];
        uint256 had = _requireHeld(order.parameters.offerer, refund.vault, item);
        uint256 owned = _balance(refund.asset);
        _callSeaport(refund, order);
        uint256 has = _held(refund.vault, item);
        unchecked {
            if (has - had == item.startAmount) return _requirePaid(refund, owned - _balance(refund.asset));
        }
        revert TokenCustody.TokenTransferUnproven(item.token, item.identifierOrCriteria, refund.vault);
    }

    /// @dev Seaport takes an ERC-20 from its caller, and may take exactly this, and only now.
    function _callSeaport(Refund memory refund, AdvancedOrder calldata order) private {
        bool coin = refund.asset == NATIVE;
        if (!coin) IERC20(refund.asset).forceApprove(address(SEAPORT), refund.amount);
        bytes memory call =
            abi.encodeCall(ISeaport.fulfillAdvancedOrder, (order, new CriteriaResolver[](0), 0, refund.vault));
        if (!BoundedCall.tryCall(address(SEAPORT), gasleft(), coin ? refund.amount : 0, call)) {
            revert ZoneFulfilmentFailed(refund.id, BoundedCall.returned());
        }
        if (!coin && IERC20(refund.asset).allowance(address(this), address(SEAPORT)) != 0) {
            IERC20(refund.asset).forceApprove(address(SEAPORT), 0);
        }
    }

    function _cancel(bytes32 line, address holder) private {
        _requireOwnLine(line, holder);
        _requireUnused(line);
        _states[line] = State.Canceled;
        emit LineCanceled(line, holder);
    }

    /// @dev The same event as the escrow's, so that whoever follows returns reads one form.
    function _tell(Refund memory refund, OrderParameters calldata terms) private {
        OfferItem calldata item = terms.offer[0];
        emit ReturnEscrow.Swapped(
            refund.id,
            refund.vault,
            terms.offerer,
            item.token,
            item.identifierOrCriteria,
            item.startAmount,
            refund.recipient,
            refund.asset,
            refund.amount
        );
    }

    /// @dev Whose order it is, and for which return. An order offered by this contract would pass Seaport unsigned.
    function _checkBinding(bytes32 line, address vault, OrderParameters calldata terms) private view {
        _requireUnused(line);
        _requireOwnLine(line, terms.offerer);
        if (terms.offerer == vault || terms.offerer == address(this)) revert ZoneBadHolder(line, terms.offerer);
        _requireMerchant(vault);
        if (terms.zone != address(this)) revert ZoneForeignOrder(line, terms.zone);
        bytes32 expected = zoneHashOf(line, vault);
        if (terms.zoneHash != expected) revert ZoneOtherReturn(line, terms.zoneHash, expected);
        if (block.timestamp < terms.startTime || block.timestamp >= terms.endTime) {
            revert ZoneNotInTime(line, terms.startTime, terms.endTime);
        }
    }

    /// @dev One token against one refund, whole, with fixed amounts.
    function _checkShape(bytes32 line, AdvancedOrder calldata order) private pure {
        OrderParameters calldata terms = order.parameters;
        if (terms.orderType != _FULL_RESTRICTED) revert ZoneWrongOrderType(line, terms.orderType);
        if (order.numerator != 1 || order.denominator != 1) {
            revert ZonePartialFill(line, order.numerator, order.denominator);
        }
        (uint256 offered, uint256 wanted) = (terms.offer.length, terms.consideration.length);
        if (offered != 1 || wanted != 1 || terms.totalOriginalConsiderationItems != 1) {
            revert ZoneWrongItemCount(line, offered, wanted, terms.totalOriginalConsiderationItems);
        }
        OfferItem calldata item = terms.offer[0];
        bool token =
            (item.itemType == _ERC721 && item.startAmount == 1) || (item.itemType == _ERC1155 && item.startAmount != 0);
        if (!token || item.startAmount != item.endAmount) {
            revert ZoneBadOffer(line, item.itemType, item.startAmount, item.endAmount);
        }
    }

    /// @dev The asset is named as everywhere else: the coin by {NATIVE}, which no ERC-20 may pretend to be.
    function _refundOf(bytes32 line, address vault, ConsiderationItem calldata item)
        private
        view
        returns (Refund memory)
    {
        bool coin = item.itemType == _COIN && item.token == address(0);
        bool erc20 = item.itemType == _ERC20 && item.token != NATIVE;
        if ((!coin && !erc20) || item.identifierOrCriteria != 0 || item.startAmount != item.endAmount) {
            revert ZoneBadRefund(
                line, item.itemType, item.token, item.identifierOrCriteria, item.startAmount, item.endAmount
            );
        }
        _requirePayable(item.recipient);
        return Refund(line, vault, coin ? NATIVE : item.token, item.startAmount, item.recipient);
    }

    /// @dev Reverts unless the holder has the token.
    /// @return had How many of it the vault has.
    function _requireHeld(address holder, address vault, OfferItem calldata item) private view returns (uint256 had) {
        if (item.token.code.length == 0) revert TokenCustody.TokenUnsupported(item.token);
        uint256 held = _held(holder, item);
        if (held < item.startAmount) {
            revert TokenCustody.TokenNotHeld(item.token, item.identifierOrCriteria, holder, held);
        }
        return _held(vault, item);
    }

    function _held(address account, OfferItem calldata item) private view returns (uint256) {
        Standard standard = item.itemType == _ERC721 ? Standard.ERC721 : Standard.ERC1155;
        return NftMover.balance(standard, item.token, account, item.identifierOrCriteria);
    }

    /// @dev Coin needs no proof: no more was sent along than the refund, and Seaport reverts if the recipient refuses it.
    /// Some may even have come back, see {receive}.
    function _requirePaid(Refund memory refund, uint256 taken) private pure {
        if (refund.asset != NATIVE && taken != refund.amount) {
            revert FloatPaymentUnproven(refund.asset, taken, refund.amount);
        }
    }

    function _requireUnused(bytes32 line) private view {
        if (_states[line] != State.None) revert ZoneLineUsed(line, _states[line]);
    }

    function _requireOwnLine(bytes32 line, address holder) private pure {
        if (uint256(line) >> 128 != uint128(uint160(holder))) revert ZoneForeignLine(line, holder);
    }
}
