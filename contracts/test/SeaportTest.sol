// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {
    AdvancedOrder,
    ConsiderationItem,
    CriteriaResolver,
    ISeaport,
    OfferItem,
    OrderParameters
} from "../src/ISeaport.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {ReturnEscrow} from "../src/ReturnEscrow.sol";
import {SeaportReturnZone} from "../src/SeaportReturnZone.sol";
import {EscrowTest} from "./EscrowTest.sol";

/// @notice The cheatcode that reads creation code out of an artifact.
interface VmArtifacts {
    function getCode(string calldata path) external view returns (bytes memory);
}

/// @notice What is signed: the order's parameters, with the counter in the place of the number of items.
struct OrderComponents {
    address offerer;
    address zone;
    OfferItem[] offer;
    ConsiderationItem[] consideration;
    uint8 orderType;
    uint256 startTime;
    uint256 endTime;
    bytes32 zoneHash;
    uint256 salt;
    bytes32 conduitKey;
    uint256 counter;
}

/// @notice The parts of Seaport that holders and strangers use.
interface ISeaportMarket is ISeaport {
    function getOrderHash(OrderComponents calldata order) external view returns (bytes32);
    function getCounter(address offerer) external view returns (uint256);
    function information() external view returns (string memory, bytes32 domainSeparator, address);
    function cancel(OrderComponents[] calldata orders) external returns (bool);
    function incrementCounter() external returns (uint256);
    function validate(Order[] calldata orders) external returns (bool);
    function getOrderStatus(bytes32 hash) external view returns (bool, bool cancelled, uint256 filled, uint256);

    struct Order {
        OrderParameters parameters;
        bytes signature;
    }
}

/// @notice Seaport's errors.
interface SeaportErrors {
    error InvalidSigner();
    error InvalidSignature();
    error BadContractSignature();
    error OrderIsCancelled(bytes32 orderHash);
    error OrderAlreadyFilled(bytes32 orderHash);
    error NoReentrantCalls();
    error NativeTokenTransferGenericFailure(address account, uint256 amount);
    error BadReturnValueFromERC20OnTransfer(address token, address from, address to, uint256 amount);
}

/// @notice The base's merchants, floats and helpers, at a zone instead of an escrow, on the real Seaport.
abstract contract SeaportTest is EscrowTest {
    string private constant ARTIFACTS = "lib/@opensea/seaport-js/src/artifacts/seaport/contracts/";

    ISeaportMarket internal seaport;
    SeaportReturnZone internal zone;

    function setUp() public virtual override {
        super.setUp();
        bytes memory controller = _code("conduit/ConduitController.sol/LocalConduitController.json");
        bytes memory code = abi.encodePacked(_code("Seaport.sol/Seaport.json"), abi.encode(_create(controller)));
        seaport = ISeaportMarket(_create(code));
        zone = SeaportReturnZone(payable(_deployed("SeaportReturnZone", abi.encode(_people(), address(seaport)))));
        // Roles, floats, approvals and states have the same functions there.
        escrow = ReturnEscrow(address(zone));
        for (uint256 i = 0; i < 2; ++i) {
            address vault = i == 0 ? ACME : BOLT;
            _change(abi.encodeCall(escrow.registerMerchant, (vault)));
            _limit(vault, address(dollar), 6, 100e6, 400e6);
            _limit(vault, NATIVE, 40, 1 ether, 4 ether);
            _fund(vault, 1000e6, 10 ether);
        }
        vm.startPrank(customer);
        nft.setApprovalForAll(address(seaport), true);
        multi.setApprovalForAll(address(seaport), true);
        vm.stopPrank();
    }

    /// @dev Token 7 against 50 dollars; unsigned.
    function _order() internal view returns (AdvancedOrder memory order) {
        OrderParameters memory terms = order.parameters;
        (terms.offerer, terms.zone, terms.orderType) = (customer, address(zone), 2);
        (terms.startTime, terms.endTime) = (START - 1, START + 1 hours);
        (terms.zoneHash, terms.salt) = (zone.zoneHashOf(LINE, ACME), UUID);
        (terms.offer, terms.consideration) = (new OfferItem[](1), new ConsiderationItem[](1));
        terms.offer[0] = OfferItem(2, address(nft), 7, 1, 1);
        terms.consideration[0] = ConsiderationItem(1, address(dollar), 0, 50e6, 50e6, payable(customer));
        terms.totalOriginalConsiderationItems = 1;
        (order.numerator, order.denominator) = (1, 1);
    }

    function _coinOrder(uint256 amount, address recipient) internal view returns (AdvancedOrder memory order) {
        order = _order();
        order.parameters.consideration[0] = ConsiderationItem(0, address(0), 0, amount, amount, payable(recipient));
    }

    function _signed(AdvancedOrder memory order) internal view returns (AdvancedOrder memory) {
        return _signedWith(KEY, order);
    }

    function _signedWith(uint256 key, AdvancedOrder memory order) internal view returns (AdvancedOrder memory) {
        (, bytes32 domain,) = seaport.information();
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, _hashOf(order)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        order.signature = abi.encodePacked(r, s, v);
        return order;
    }

    function _hashOf(AdvancedOrder memory order) internal view returns (bytes32) {
        return seaport.getOrderHash(_components(order));
    }

    function _components(AdvancedOrder memory order) internal view returns (OrderComponents memory) {
        OrderParameters memory terms = order.parameters;
        return OrderComponents(
            terms.offerer,
            terms.zone,
            terms.offer,
            terms.consideration,
            terms.orderType,
            terms.startTime,
            terms.endTime,
            terms.zoneHash,
            terms.salt,
            terms.conduitKey,
            seaport.getCounter(terms.offerer)
        );
    }

    function _fulfilCall(AdvancedOrder memory order) internal view returns (bytes memory) {
        return abi.encodeCall(zone.fulfil, (LINE, ACME, order, ""));
    }

    function _fulfil(AdvancedOrder memory order) internal {
        vm.prank(OPERATOR);
        zone.fulfil(LINE, ACME, order, "");
    }

    /// @dev Signed as it is, and refused with this error.
    function _orderRefused(AdvancedOrder memory order, bytes memory err) internal {
        _refused(OPERATOR, _fulfilCall(_signed(order)), err);
        assertEq(dollar.allowance(address(zone), address(seaport)), 0, "allowance");
    }

    function _failed(bytes memory reason) internal view returns (bytes memory) {
        return abi.encodeWithSelector(SeaportReturnZone.ZoneFulfilmentFailed.selector, LINE, reason);
    }

    function _refundOf(AdvancedOrder memory order) internal view returns (MerchantFloat.Refund memory) {
        ConsiderationItem memory item = order.parameters.consideration[0];
        address asset = item.itemType == 0 ? NATIVE : item.token;
        return MerchantFloat.Refund(LINE, ACME, asset, item.startAmount, item.recipient);
    }

    function _code(string memory artifact) private view returns (bytes memory) {
        return VmArtifacts(address(vm)).getCode(string.concat(ARTIFACTS, artifact));
    }

    function _create(bytes memory code) private returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(created != address(0), "not created");
    }
}
