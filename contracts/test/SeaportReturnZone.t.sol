// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {DeskAccess} from "../src/DeskAccess.sol";
import {AdvancedOrder, ConsiderationItem, CriteriaResolver, ISeaportZone, OfferItem} from "../src/ISeaport.sol";
import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {SeaportReturnZone} from "../src/SeaportReturnZone.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {ISeaportMarket, OrderComponents, SeaportErrors, SeaportTest} from "./SeaportTest.sol";
import {Vm} from "./Test.sol";
import {ContractWallet, ForwardingHolder, GreedyRecipient, RefusingRecipient} from "./mocks/Accounts.sol";
import {PlainNFT} from "./mocks/HonestTokens.sol";
import {HostileERC20, SilentERC20, Vice} from "./mocks/HostileERC20.sol";
import {HostileNFT, Lying1155, Malice} from "./mocks/HostileNFT.sol";
import {BoomerangRecipient, CallingRecipient, PeekingNFT, StickyERC20} from "./mocks/SeaportParties.sol";
import {IAccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/IAccessControlEnumerable.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

contract SeaportReturnZoneTest is SeaportTest {
    uint256 private constant GAS_EACH = 400_000;

    // -- token against refund --------------------------------------------------------------------------------------

    function test_exchanges_token_and_erc20() public {
        vm.recordLogs();
        _fulfil(_signed(_order()));
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(dollar.balanceOf(customer), 50e6, "refund");
        assertEq(zone.floatOf(ACME, address(dollar)).balance, 950e6, "float");
        assertEq(zone.floatOf(BOLT, address(dollar)).balance, 1000e6, "another merchant's float");
        assertEq(dollar.balanceOf(address(zone)), 1950e6, "what the zone has");
        assertEq(dollar.allowance(address(zone), address(seaport)), 0, "allowance");
        _assertState(LINE, State.Settled);
        _assertSwapped(address(dollar), 50e6);
    }

    function test_exchanges_token_and_coin() public {
        vm.recordLogs();
        _fulfil(_signed(_coinOrder(0.5 ether, customer)));
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(customer.balance, 0.5 ether, "refund");
        assertEq(zone.floatOf(ACME, NATIVE).balance, 9.5 ether, "float");
        assertEq(address(zone).balance, 19.5 ether, "what the zone has");
        _assertSwapped(NATIVE, 0.5 ether);
    }

    function test_exchanges_an_amount_of_an_erc1155() public {
        multi.mint(ACME, 3, 5);
        AdvancedOrder memory order = _order();
        order.parameters.offer[0] = OfferItem(3, address(multi), 3, 40, 40);
        _fulfil(_signed(order));
        assertEq(multi.balanceOf(ACME, 3), 45, "token");
        assertEq(multi.balanceOf(customer, 3), 60, "rest");
        assertEq(dollar.balanceOf(customer), 50e6, "refund");
    }

    function test_pays_another_recipient_that_was_signed_for() public {
        AdvancedOrder memory order = _order();
        order.parameters.consideration[0].recipient = payable(STRANGER);
        _fulfil(_signed(order));
        assertEq(dollar.balanceOf(STRANGER), 50e6, "refund");
        assertEq(dollar.balanceOf(customer), 0, "nothing to the holder");
    }

    function test_takes_an_order_that_was_validated_at_seaport_without_its_signature() public {
        AdvancedOrder memory order = _signed(_order());
        ISeaportMarket.Order[] memory orders = new ISeaportMarket.Order[](1);
        orders[0] = ISeaportMarket.Order(order.parameters, order.signature);
        vm.prank(STRANGER);
        seaport.validate(orders);
        order.signature = "";
        _fulfil(order);
        assertEq(nft.ownerOf(7), ACME, "token");
    }

    function test_takes_the_order_of_a_contract_wallet() public {
        ContractWallet wallet = new ContractWallet(customer);
        vm.prank(customer);
        nft.transferFrom(customer, address(wallet), 7);
        wallet.run(address(nft), abi.encodeCall(nft.setApprovalForAll, (address(seaport), true)));
        bytes32 line = _line(address(wallet), UUID);
        AdvancedOrder memory order = _order();
        order.parameters.offerer = address(wallet);
        order.parameters.zoneHash = zone.zoneHashOf(line, ACME);
        _signed(order);
        vm.prank(OPERATOR);
        zone.fulfil(line, ACME, order, "");
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(dollar.balanceOf(customer), 50e6, "refund");
    }

    /// @dev The zone has nothing but its floats, and Seaport can take from it exactly one refund at a time.
    function test_allows_seaport_exactly_the_refund_while_it_runs() public {
        PeekingNFT token = new PeekingNFT();
        token.mint(customer, 7);
        vm.prank(customer);
        token.setApprovalForAll(address(seaport), true);
        token.watch(address(dollar), address(zone), address(seaport));
        _fulfil(_signed(_of(address(token))));
        assertEq(token.seen(), 50e6, "allowance while it runs");
        assertEq(dollar.allowance(address(zone), address(seaport)), 0, "allowance afterwards");
    }

    function test_takes_back_what_an_asset_does_not_count_down() public {
        StickyERC20 asset = new StickyERC20();
        asset.mint(address(this), 1000e6);
        _list(address(asset));
        _fulfil(_signed(_in(address(asset))));
        assertEq(asset.balanceOf(customer), 50e6, "refund");
        assertEq(asset.allowance(address(zone), address(seaport)), 0, "allowance");
    }

    function test_pays_in_an_asset_that_answers_nothing() public {
        SilentERC20 asset = new SilentERC20();
        asset.mint(address(this), 1000e6);
        _list(address(asset));
        _fulfil(_signed(_in(address(asset))));
        assertEq(asset.balanceOf(customer), 50e6, "refund");
    }

    /// @dev The recipient signed for an asset that keeps a part of what is sent.
    function test_a_fee_on_the_receivers_side_is_the_recipients_to_see() public {
        HostileERC20 asset = _hostileAsset();
        asset.turn(Vice.TaxesReceiver);
        _fulfil(_signed(_in(address(asset))));
        assertEq(asset.balanceOf(customer), 45e6, "refund");
        assertEq(zone.floatOf(ACME, address(asset)).balance, 950e6, "float");
    }

    function testFuzz_exchanges_any_amounts(uint256 tokenId, uint256 quantity, uint256 refund) public {
        vm.assume(tokenId != 3);
        quantity = bound(quantity, 1, type(uint256).max);
        refund = bound(refund, 1, 100e6);
        multi.mint(customer, tokenId, quantity);
        AdvancedOrder memory order = _order();
        order.parameters.offer[0] = OfferItem(3, address(multi), tokenId, quantity, quantity);
        order.parameters.consideration[0] = ConsiderationItem(1, address(dollar), 0, refund, refund, payable(customer));
        _fulfil(_signed(order));
        assertEq(multi.balanceOf(ACME, tokenId), quantity, "token");
        assertEq(dollar.balanceOf(customer), refund, "refund");
        assertEq(dollar.balanceOf(address(zone)), 2000e6 - refund, "what the zone has");
    }

    // -- strangers -------------------------------------------------------------------------------------------------

    function test_only_an_operator_fulfils() public {
        AdvancedOrder memory order = _signed(_order());
        address[4] memory others = [STRANGER, customer, ACME, ADMIN_A];
        for (uint256 i = 0; i < others.length; ++i) {
            _refused(others[i], _fulfilCall(order), _unauthorized(others[i], zone.OPERATOR_ROLE()));
        }
    }

    /// @dev Whoever calls: also the offerer, the vault, the operator. They have the money and have approved it.
    function test_nobody_fills_the_order_at_seaport() public {
        AdvancedOrder memory order = _signed(_order());
        bytes32 hash = _hashOf(order);
        address[4] memory others = [STRANGER, customer, ACME, OPERATOR];
        for (uint256 i = 0; i < others.length; ++i) {
            dollar.mint(others[i], 50e6);
            vm.prank(others[i]);
            dollar.approve(address(seaport), 50e6);
            bytes32 before = _fingerprint();
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(SeaportReturnZone.ZoneForeignFulfiller.selector, hash, others[i]));
            seaport.fulfillAdvancedOrder(order, new CriteriaResolver[](0), 0, others[i]);
            assertEq(_fingerprint(), before, "nothing moved");
        }
        _fulfil(order);
    }

    function test_answers_no_to_whoever_asks() public {
        _asked(address(seaport));
        _asked(STRANGER);
        _asked(OPERATOR);
    }

    function test_a_token_that_calls_back_gets_nowhere() public {
        HostileNFT token = new HostileNFT();
        token.mint(customer, 7);
        vm.prank(customer);
        token.setApprovalForAll(address(seaport), true);
        _change(abi.encodeCall(escrow.grantRole, (zone.OPERATOR_ROLE(), address(token))));
        AdvancedOrder memory order = _signed(_of(address(token)));
        bytes memory reentered = abi.encodeWithSelector(Operated.Reentered.selector);
        // As an operator: the same order again, another one, and what is open to anybody.
        _callsBack(token, order, address(zone), _fulfilCall(order), reentered);
        _callsBack(token, order, address(zone), _fulfilCall(_signed(_order())), reentered);
        bytes[] memory none = new bytes[](0);
        _callsBack(token, order, address(zone), abi.encodeCall(zone.batch, (none, 0)), reentered);
        _callsBack(token, order, address(zone), abi.encodeCall(zone.cancel, (LINE)), reentered);
        _callsBack(token, order, address(zone), abi.encodeCall(zone.fundFloat, (ACME, NATIVE, 0)), reentered);
        _callsBack(token, order, address(zone), abi.encodeCall(zone.claim, (NATIVE, customer)), reentered);
        bytes memory fill =
            abi.encodeCall(seaport.fulfillAdvancedOrder, (_signed(_order()), new CriteriaResolver[](0), 0, STRANGER));
        bytes memory busy = abi.encodeWithSelector(SeaportErrors.NoReentrantCalls.selector);
        _callsBack(token, order, address(seaport), fill, busy);
    }

    function test_a_recipient_that_calls_back_gets_nowhere() public {
        CallingRecipient recipient = new CallingRecipient(address(zone));
        _change(abi.encodeCall(escrow.grantRole, (zone.OPERATOR_ROLE(), address(recipient))));
        AdvancedOrder memory order = _signed(_coinOrder(0.5 ether, address(recipient)));
        recipient.aim(_fulfilCall(order));
        _fulfil(order);
        assertFalse(recipient.reentryOk(), "reentered");
        assertEq(recipient.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "why");
        assertEq(address(recipient).balance, 0.5 ether, "paid once");
        assertEq(zone.floatOf(ACME, NATIVE).balance, 9.5 ether, "float");
    }

    // -- orders that are not the return ----------------------------------------------------------------------------

    function test_a_line_pays_once() public {
        AdvancedOrder memory order = _signed(_order());
        _fulfil(order);
        bytes memory used = abi.encodeWithSelector(SeaportReturnZone.ZoneLineUsed.selector, LINE, State.Settled);
        _refused(OPERATOR, _fulfilCall(order), used);
        // Also not by another order for the same line, with the token back at its holder.
        vm.prank(ACME);
        nft.transferFrom(ACME, customer, 7);
        order.parameters.salt++;
        _orderRefused(order, used);
    }

    function test_an_order_pays_once_also_by_another_line() public {
        AdvancedOrder memory order = _signed(_order());
        _fulfil(order);
        bytes32 line = _line(customer, UUID + 1);
        bytes memory err = abi.encodeWithSelector(
            SeaportReturnZone.ZoneOtherReturn.selector, line, zone.zoneHashOf(LINE, ACME), zone.zoneHashOf(line, ACME)
        );
        _refused(OPERATOR, abi.encodeCall(zone.fulfil, (line, ACME, order, "")), err);
    }

    function test_refuses_another_line() public {
        AdvancedOrder memory order = _signed(_order());
        bytes32 line = _line(customer, UUID + 1);
        bytes32 expected = keccak256(abi.encode(line, ACME));
        bytes memory err = abi.encodeWithSelector(
            SeaportReturnZone.ZoneOtherReturn.selector, line, order.parameters.zoneHash, expected
        );
        _refused(OPERATOR, abi.encodeCall(zone.fulfil, (line, ACME, order, "")), err);
    }

    function test_refuses_another_merchant() public {
        AdvancedOrder memory order = _signed(_order());
        bytes32 expected = keccak256(abi.encode(LINE, BOLT));
        bytes memory err = abi.encodeWithSelector(
            SeaportReturnZone.ZoneOtherReturn.selector, LINE, order.parameters.zoneHash, expected
        );
        _refused(OPERATOR, abi.encodeCall(zone.fulfil, (LINE, BOLT, order, "")), err);
        err = abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, STRANGER);
        _refused(OPERATOR, abi.encodeCall(zone.fulfil, (LINE, STRANGER, order, "")), err);
    }

    function test_refuses_a_line_of_another_holder() public {
        AdvancedOrder memory order = _signed(_order());
        bytes32 line = _line(STRANGER, UUID);
        bytes memory err = abi.encodeWithSelector(SeaportReturnZone.ZoneForeignLine.selector, line, customer);
        _refused(OPERATOR, abi.encodeCall(zone.fulfil, (line, ACME, order, "")), err);
    }

    function test_refuses_the_vaults_own_token() public {
        _ofHolder(ACME);
    }

    /// @dev Seaport asks for no signature if the offerer is its caller.
    function test_refuses_an_order_offered_by_the_zone() public {
        _ofHolder(address(zone));
    }

    function test_refuses_an_order_for_another_zone() public {
        AdvancedOrder memory order = _order();
        order.parameters.zone = STRANGER;
        _orderRefused(order, abi.encodeWithSelector(SeaportReturnZone.ZoneForeignOrder.selector, LINE, STRANGER));
        order.parameters.zone = address(0);
        _orderRefused(order, abi.encodeWithSelector(SeaportReturnZone.ZoneForeignOrder.selector, LINE, address(0)));
    }

    function test_refuses_orders_that_others_could_fill_or_in_parts() public {
        AdvancedOrder memory order = _order();
        uint8[5] memory others = [0, 1, 3, 4, 255];
        for (uint256 i = 0; i < others.length; ++i) {
            order.parameters.orderType = others[i];
            bytes memory err = abi.encodeWithSelector(SeaportReturnZone.ZoneWrongOrderType.selector, LINE, others[i]);
            _refused(OPERATOR, _fulfilCall(order), err);
        }
    }

    function test_refuses_to_fill_a_part() public {
        AdvancedOrder memory order = _order();
        uint120[2][3] memory parts = [[uint120(1), 2], [uint120(2), 1], [uint120(0), 0]];
        for (uint256 i = 0; i < parts.length; ++i) {
            (order.numerator, order.denominator) = (parts[i][0], parts[i][1]);
            bytes memory err =
                abi.encodeWithSelector(SeaportReturnZone.ZonePartialFill.selector, LINE, parts[i][0], parts[i][1]);
            _orderRefused(order, err);
        }
    }

    function test_refuses_outside_the_orders_time() public {
        AdvancedOrder memory order = _order();
        bytes memory err =
            abi.encodeWithSelector(SeaportReturnZone.ZoneNotInTime.selector, LINE, START - 1, START + 1 hours);
        vm.warp(START + 1 hours);
        _orderRefused(order, err);
        vm.warp(START - 2);
        _orderRefused(order, err);
        // First and last second.
        vm.warp(START - 1);
        _passes(order);
        vm.warp(START + 1 hours - 1);
        _passes(order);
    }

    function test_refuses_anything_but_one_token_against_one_refund() public {
        AdvancedOrder memory order = _order();
        ConsiderationItem memory wanted = order.parameters.consideration[0];
        OfferItem memory offered = order.parameters.offer[0];
        // A tip: added by whoever fills, and not signed for.
        order.parameters.consideration = new ConsiderationItem[](2);
        (order.parameters.consideration[0], order.parameters.consideration[1]) = (wanted, wanted);
        _orderRefused(order, _count(1, 2, 1));
        order.parameters.totalOriginalConsiderationItems = 2;
        _orderRefused(order, _count(1, 2, 2));
        order.parameters.consideration = new ConsiderationItem[](0);
        order.parameters.totalOriginalConsiderationItems = 0;
        _orderRefused(order, _count(1, 0, 0));
        order.parameters.consideration = new ConsiderationItem[](1);
        order.parameters.consideration[0] = wanted;
        _orderRefused(order, _count(1, 1, 0));
        order.parameters.totalOriginalConsiderationItems = 1;
        order.parameters.offer = new OfferItem[](2);
        (order.parameters.offer[0], order.parameters.offer[1]) = (offered, offered);
        _orderRefused(order, _count(2, 1, 1));
        order.parameters.offer = new OfferItem[](0);
        _orderRefused(order, _count(0, 1, 1));
    }

    function test_refuses_offers_that_are_not_a_fixed_amount_of_one_token() public {
        _badOffer(OfferItem(0, address(0), 0, 1, 1));
        _badOffer(OfferItem(1, address(dollar), 0, 1, 1));
        _badOffer(OfferItem(2, address(nft), 7, 2, 2));
        _badOffer(OfferItem(2, address(nft), 7, 1, 2));
        _badOffer(OfferItem(3, address(multi), 3, 0, 0));
        _badOffer(OfferItem(3, address(multi), 3, 4, 5));
        _badOffer(OfferItem(4, address(nft), 7, 1, 1));
        _badOffer(OfferItem(5, address(multi), 3, 1, 1));
        _badOffer(OfferItem(9, address(multi), 3, 1, 1));
    }

    function test_refuses_refunds_that_are_not_a_fixed_amount_of_an_asset() public {
        _badRefund(ConsiderationItem(0, address(dollar), 0, 1, 1, payable(customer)));
        _badRefund(ConsiderationItem(0, NATIVE, 0, 1, 1, payable(customer)));
        _badRefund(ConsiderationItem(0, address(0), 1, 1, 1, payable(customer)));
        _badRefund(ConsiderationItem(0, address(0), 0, 1, 2, payable(customer)));
        // The coin's float under the name of an ERC-20.
        _badRefund(ConsiderationItem(1, NATIVE, 0, 1, 1, payable(customer)));
        _badRefund(ConsiderationItem(1, address(dollar), 7, 1, 1, payable(customer)));
        _badRefund(ConsiderationItem(1, address(dollar), 0, 2, 1, payable(customer)));
        _badRefund(ConsiderationItem(2, address(nft), 0, 1, 1, payable(customer)));
        _badRefund(ConsiderationItem(3, address(multi), 0, 1, 1, payable(customer)));
    }

    function test_refuses_recipients_to_whom_nothing_can_be_paid() public {
        AdvancedOrder memory order = _order();
        address[2] memory nobody = [address(0), address(zone)];
        for (uint256 i = 0; i < 2; ++i) {
            order.parameters.consideration[0].recipient = payable(nobody[i]);
            _orderRefused(order, abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, nobody[i]));
        }
    }

    function test_refuses_a_token_that_the_holder_does_not_have() public {
        _mintNft(STRANGER, 8);
        AdvancedOrder memory order = _order();
        order.parameters.offer[0].identifierOrCriteria = 8;
        _orderRefused(order, _notHeld(address(nft), 8, 0));
        order.parameters.offer[0].identifierOrCriteria = 9;
        _orderRefused(order, _notHeld(address(nft), 9, 0));
        order.parameters.offer[0] = OfferItem(3, address(multi), 3, 101, 101);
        _orderRefused(order, _notHeld(address(multi), 3, 100));
        // Of the other standard than the order says.
        order.parameters.offer[0] = OfferItem(3, address(nft), 7, 1, 1);
        _orderRefused(order, _notHeld(address(nft), 7, 0));
        order.parameters.offer[0] = OfferItem(2, address(multi), 3, 1, 1);
        _orderRefused(order, _notHeld(address(multi), 3, 0));
    }

    function test_refuses_a_token_that_is_no_contract() public {
        AdvancedOrder memory order = _of(STRANGER);
        _orderRefused(order, abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, STRANGER));
        order = _of(address(0));
        _orderRefused(order, abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, address(0)));
    }

    // -- signatures, counter, cancel -------------------------------------------------------------------------------

    function test_refuses_the_signature_of_somebody_else() public {
        AdvancedOrder memory order = _signedWith(0xBAD, _order());
        bytes memory err = _failed(abi.encodeWithSelector(SeaportErrors.InvalidSigner.selector));
        _refused(OPERATOR, _fulfilCall(order), err);
        order.signature = "";
        err = _failed(abi.encodeWithSelector(SeaportErrors.InvalidSignature.selector));
        _refused(OPERATOR, _fulfilCall(order), err);
    }

    /// @dev Whatever the zone does not look at itself, Seaport's signature check does.
    function testFuzz_refuses_an_order_that_was_changed_after_signing(uint256 field, uint256 noise) public {
        AdvancedOrder memory order = _signed(_order());
        noise = bound(noise, 1, 49e6);
        field = bound(field, 0, 5);
        if (field == 0) order.parameters.salt ^= noise;
        if (field == 1) order.parameters.startTime -= noise;
        if (field == 2) order.parameters.endTime += noise;
        if (field == 3) order.parameters.consideration[0].recipient = payable(address(uint160(noise + 1000)));
        if (field == 4) {
            uint256 less = 50e6 - noise;
            (order.parameters.consideration[0].startAmount, order.parameters.consideration[0].endAmount) = (less, less);
        }
        if (field == 5) {
            _mintNft(customer, 7 + noise);
            order.parameters.offer[0].identifierOrCriteria = 7 + noise;
        }
        bytes memory err = _failed(abi.encodeWithSelector(SeaportErrors.InvalidSigner.selector));
        _refused(OPERATOR, _fulfilCall(order), err);
    }

    function test_refuses_an_order_that_its_holder_canceled_at_seaport() public {
        AdvancedOrder memory order = _signed(_order());
        bytes32 hash = _hashOf(order);
        OrderComponents[] memory orders = new OrderComponents[](1);
        orders[0] = _components(order);
        vm.prank(customer);
        seaport.cancel(orders);
        bytes memory err = _failed(abi.encodeWithSelector(SeaportErrors.OrderIsCancelled.selector, hash));
        _refused(OPERATOR, _fulfilCall(order), err);
    }

    function test_refuses_an_order_under_an_old_counter() public {
        AdvancedOrder memory order = _signed(_order());
        vm.prank(customer);
        seaport.incrementCounter();
        bytes memory err = _failed(abi.encodeWithSelector(SeaportErrors.InvalidSigner.selector));
        _refused(OPERATOR, _fulfilCall(order), err);
    }

    function test_a_holder_cancels_its_line_also_while_paused() public {
        vm.prank(GUARDIAN);
        zone.pause();
        vm.expectEmit(address(zone));
        emit SeaportReturnZone.LineCanceled(LINE, customer);
        vm.prank(customer);
        zone.cancel(LINE);
        vm.prank(GUARDIAN);
        zone.unpause();
        _canceled();
    }

    function test_a_holder_cancels_its_line_without_gas() public {
        bytes memory signature = _cancellation(KEY, LINE, customer);
        vm.prank(STRANGER);
        zone.cancelBySignature(LINE, customer, signature);
        _canceled();
    }

    function test_nobody_cancels_the_line_of_another() public {
        bytes memory foreign = abi.encodeWithSelector(SeaportReturnZone.ZoneForeignLine.selector, LINE, STRANGER);
        _refused(STRANGER, abi.encodeCall(zone.cancel, (LINE)), foreign);
        foreign = abi.encodeWithSelector(SeaportReturnZone.ZoneForeignLine.selector, LINE, approver);
        bytes memory signature = _cancellation(APPROVER_KEY, LINE, approver);
        _refused(STRANGER, abi.encodeCall(zone.cancelBySignature, (LINE, approver, signature)), foreign);
        signature = _cancellation(APPROVER_KEY, LINE, customer);
        bytes memory call = abi.encodeCall(zone.cancelBySignature, (LINE, customer, signature));
        bytes32 digest = _typed(keccak256(abi.encode(zone.CANCELLATION_TYPEHASH(), LINE, customer)));
        _refused(
            STRANGER, call, abi.encodeWithSelector(Signatures.SignatureInvalid.selector, customer, approver, digest)
        );
    }

    function test_a_used_line_cannot_be_canceled() public {
        _fulfil(_signed(_order()));
        bytes memory used = abi.encodeWithSelector(SeaportReturnZone.ZoneLineUsed.selector, LINE, State.Settled);
        _refused(customer, abi.encodeCall(zone.cancel, (LINE)), used);
    }

    // -- float and limits ------------------------------------------------------------------------------------------

    function test_refuses_above_the_float() public {
        vm.prank(TREASURER);
        zone.withdrawFloat(ACME, address(dollar), 950e6 + 1);
        _orderRefused(_order(), _floatTooLow(ACME, address(dollar), 50e6 - 1, 50e6));
        // The coin that another merchant left here pays nothing.
        vm.prank(TREASURER);
        zone.withdrawFloat(ACME, NATIVE, 10 ether);
        _orderRefused(_coinOrder(1, customer), _floatTooLow(ACME, NATIVE, 0, 1));
    }

    function test_refuses_a_refund_of_nothing() public {
        _orderRefused(_coinOrder(0, customer), abi.encodeWithSelector(MerchantFloat.FloatZeroAmount.selector));
    }

    function test_above_the_limit_a_second_person_signs() public {
        AdvancedOrder memory order = _order();
        (order.parameters.consideration[0].startAmount, order.parameters.consideration[0].endAmount) = (101e6, 101e6);
        bytes memory err =
            abi.encodeWithSelector(MerchantFloat.FloatApprovalMissing.selector, LINE, address(dollar), 101e6);
        _orderRefused(order, err);
        bytes memory approval = _approveAs(APPROVER_KEY, _refundOf(order));
        vm.prank(OPERATOR);
        zone.fulfil(LINE, ACME, order, approval);
        assertEq(dollar.balanceOf(customer), 101e6, "refund");
        assertEq(zone.floatOf(ACME, address(dollar)).left, uint256(400e6) >> 6, "approved ones use nothing up");
    }

    function test_an_approval_is_for_one_refund() public {
        AdvancedOrder memory order = _order();
        (order.parameters.consideration[0].startAmount, order.parameters.consideration[0].endAmount) = (101e6, 101e6);
        MerchantFloat.Refund memory other = _refundOf(order);
        other.amount = 102e6;
        bytes memory approval = _approveAs(APPROVER_KEY, other);
        bytes memory call = abi.encodeCall(zone.fulfil, (LINE, ACME, _signed(order), approval));
        bytes32 before = _fingerprint();
        vm.prank(OPERATOR);
        (bool ok, bytes memory reason) = address(zone).call(call);
        assertFalse(ok, "must be refused");
        assertEq(bytes32(bytes4(reason)), bytes32(Signatures.SignatureInvalid.selector), "why");
        assertEq(_fingerprint(), before, "nothing moved");
    }

    function test_a_pause_stops_it() public {
        AdvancedOrder memory order = _signed(_order());
        vm.prank(GUARDIAN);
        zone.pause();
        _refused(OPERATOR, _fulfilCall(order), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
    }

    // -- tokens, assets and recipients that misbehave --------------------------------------------------------------

    function test_a_token_that_refuses_or_lies_moves_nothing() public {
        HostileNFT token = new HostileNFT();
        token.mint(customer, 7);
        vm.prank(customer);
        token.setApprovalForAll(address(seaport), true);
        AdvancedOrder memory order = _of(address(token));
        token.turn(Malice.Reverts);
        _orderRefused(order, _failed(abi.encodeWithSignature("Error(string)", "not today")));
        token.turn(Malice.Lies);
        _orderRefused(order, _unproven(address(token), 7));
        token.turn(Malice.ReturnsMegabytes);
        _passes(order);
    }

    /// @dev 2 MB of revert data cost the one item its gas, and nobody else anything.
    function test_a_token_that_reverts_with_megabytes_spoils_only_its_own_item() public {
        HostileNFT token = new HostileNFT();
        token.mint(customer, 7);
        vm.prank(customer);
        token.setApprovalForAll(address(seaport), true);
        token.turn(Malice.RevertsWithMegabytes);
        _spoils(_signed(_of(address(token))));
    }

    function test_an_erc1155_that_moves_less_is_found_out() public {
        Lying1155 token = new Lying1155();
        token.mint(customer, 10);
        AdvancedOrder memory order = _order();
        order.parameters.offer[0] = OfferItem(3, address(token), 3, 10, 10);
        _orderRefused(order, _unproven(address(token), 3));
        token.turnHonest();
        _passes(order);
    }

    function test_a_vault_that_passes_the_token_on_gets_none() public {
        ForwardingHolder vault = new ForwardingHolder(STRANGER);
        vault.startForwarding();
        vault.approve(address(multi), address(vault));
        _change(abi.encodeCall(escrow.registerMerchant, (address(vault))));
        _limit(address(vault), address(dollar), 6, 100e6, 400e6);
        _limit(address(vault), NATIVE, 40, 1 ether, 4 ether);
        _fund(address(vault), 1000e6, 10 ether);
        AdvancedOrder memory order = _order();
        order.parameters.offer[0] = OfferItem(3, address(multi), 3, 10, 10);
        order.parameters.zoneHash = zone.zoneHashOf(LINE, address(vault));
        bytes memory call = abi.encodeCall(zone.fulfil, (LINE, address(vault), _signed(order), ""));
        bytes memory err =
            abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, address(multi), 3, address(vault));
        _refused(OPERATOR, call, err);
    }

    function test_an_asset_that_pays_nothing_or_takes_more_is_found_out() public {
        HostileERC20 asset = _hostileAsset();
        AdvancedOrder memory order = _in(address(asset));
        asset.turn(Vice.MovesNothing);
        _orderRefused(order, _unpaid(address(asset), 0, 50e6));
        asset.turn(Vice.TaxesSender);
        _orderRefused(order, _unpaid(address(asset), 55e6, 50e6));
        asset.turn(Vice.ReturnsFalse);
        bytes memory why = abi.encodeWithSelector(
            SeaportErrors.BadReturnValueFromERC20OnTransfer.selector, asset, zone, customer, 50e6
        );
        _orderRefused(order, _failed(why));
        asset.turn(Vice.ReturnsMegabytes);
        _passes(order);
    }

    function test_an_asset_that_calls_back_gets_nowhere() public {
        HostileERC20 asset = _hostileAsset();
        asset.aim(address(zone), abi.encodeCall(zone.cancel, (LINE)));
        _fulfil(_signed(_in(address(asset))));
        assertFalse(asset.reentryOk(), "reentered");
        assertEq(asset.reentryResult(), abi.encodeWithSelector(Operated.Reentered.selector), "why");
        assertEq(asset.balanceOf(customer), 50e6, "refund");
    }

    /// @dev Seaport pushes coin with all gas and reverts if it is refused: both stay where they are, and no claim is
    /// needed, since the token did not move either.
    function test_a_recipient_that_refuses_coin_keeps_the_token_where_it_is() public {
        RefusingRecipient recipient = new RefusingRecipient();
        AdvancedOrder memory order = _coinOrder(0.5 ether, address(recipient));
        _orderRefused(order, _failed(abi.encodeWithSignature("Error(string)", "no coin")));
        recipient.setOpen(true);
        _passes(order);
    }

    function test_a_recipient_that_burns_gas_or_returns_megabytes_spoils_only_its_own_item() public {
        _spoils(_signed(_coinOrder(0.5 ether, address(new GreedyRecipient(false)))));
        _spoils(_signed(_coinOrder(0.5 ether, address(new GreedyRecipient(true)))));
    }

    /// @dev Its own loss: what it forces back belongs to nobody, and the float has paid.
    function test_a_recipient_that_forces_coin_back_is_paid_all_the_same() public {
        BoomerangRecipient recipient = new BoomerangRecipient(payable(address(zone)));
        _fulfil(_signed(_coinOrder(0.5 ether, address(recipient))));
        assertEq(nft.ownerOf(7), ACME, "token");
        assertEq(zone.floatOf(ACME, NATIVE).balance, 9.5 ether, "float");
        assertEq(address(zone).balance, 20 ether, "nobody's coin");
    }

    /// @dev Seaport gives whatever coin it has to whoever fills an order: a wei forced into it must stop no return.
    function test_coin_that_lies_at_seaport_stops_nothing() public {
        uint256[3] memory refunds = [uint256(0.5 ether), 77, 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.deal(address(seaport), 77);
            bytes32 line = _line(customer, 200 + i);
            _mintNft(customer, 200 + i);
            AdvancedOrder memory order = _coinOrder(refunds[i], customer);
            order.parameters.offer[0].identifierOrCriteria = 200 + i;
            order.parameters.zoneHash = zone.zoneHashOf(line, ACME);
            uint256 before = customer.balance;
            _signed(order);
            vm.prank(OPERATOR);
            zone.fulfil(line, ACME, order, "");
            assertEq(nft.ownerOf(200 + i), ACME, "token");
            assertEq(customer.balance - before, refunds[i], "refund");
        }
        assertEq(zone.floatOf(ACME, NATIVE).balance, 9.5 ether - 78, "float");
        assertEq(address(zone).balance, 19.5 ether - 78 + 3 * 77, "floats and what nobody owns");
        vm.deal(address(seaport), 1);
        _fulfil(_signed(_order()));
        assertEq(nft.ownerOf(7), ACME, "also against an ERC-20");
    }

    // -- batches ---------------------------------------------------------------------------------------------------

    function test_one_bad_order_fails_alone_and_says_why() public {
        bytes[] memory calls = new bytes[](3);
        for (uint256 i = 0; i < 3; ++i) {
            calls[i] = _callOf(100 + i);
        }
        vm.prank(customer);
        nft.transferFrom(customer, STRANGER, 101);
        vm.recordLogs();
        vm.prank(OPERATOR);
        zone.batch(calls, GAS_EACH);
        bytes memory reason = _notHeld(address(nft), 101, 0);
        _assertOneFailed(_line(customer, 101), 1, reason);
        assertEq(nft.ownerOf(100), ACME, "first");
        assertEq(nft.ownerOf(101), STRANGER, "second");
        assertEq(nft.ownerOf(102), ACME, "third");
        assertEq(dollar.balanceOf(customer), 2e6, "refunds");
        assertEq(zone.floatOf(ACME, address(dollar)).balance, 998e6, "float");
        _assertState(_line(customer, 101), State.None);
    }

    function test_the_same_order_twice_in_a_batch_pays_once() public {
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_callOf(100), _callOf(100));
        vm.recordLogs();
        vm.prank(OPERATOR);
        zone.batch(calls, GAS_EACH);
        bytes32 line = _line(customer, 100);
        _assertOneFailed(line, 1, abi.encodeWithSelector(SeaportReturnZone.ZoneLineUsed.selector, line, State.Settled));
        assertEq(dollar.balanceOf(customer), 1e6, "refund");
    }

    function test_nothing_else_can_be_an_item() public {
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(zone.cancel, (LINE));
        bytes memory err = abi.encodeWithSelector(Operated.BatchItemForbidden.selector, 0, zone.cancel.selector);
        _refused(OPERATOR, abi.encodeCall(zone.batch, (calls, GAS_EACH)), err);
    }

    // -- what it says of itself ------------------------------------------------------------------------------------

    function test_needs_a_seaport() public {
        vm.expectRevert(abi.encodeWithSelector(SeaportReturnZone.ZoneNoSeaport.selector, STRANGER));
        new SeaportReturnZone(_people(), STRANGER);
    }

    function test_says_what_it_is() public view {
        (string memory name,) = abi.decode(_metadata(), (string, bytes32[]));
        assertEq(name, "Undrop SeaportReturnZone", "name");
        (, string memory domain, string memory version,,,,) = zone.eip712Domain();
        assertEq(domain, "Undrop SeaportReturnZone", "domain");
        assertEq(version, "1", "version");
        // authorizeOrder, validateOrder, getSeaportMetadata and supportsInterface of Seaport 1.6.
        assertTrue(type(ISeaportZone).interfaceId == bytes4(0x39dd6933), "id of Seaport's ZoneInterface");
        assertTrue(zone.supportsInterface(0x39dd6933), "zone");
        assertTrue(zone.supportsInterface(0x01ffc9a7), "ERC-165");
        assertTrue(zone.supportsInterface(type(IAccessControlEnumerable).interfaceId), "roles");
        assertFalse(zone.supportsInterface(0xffffffff), "nothing");
        assertEq(address(zone.SEAPORT()), address(seaport), "Seaport");
    }

    /// @dev It takes no tokens and no coin, but floats.
    function test_cannot_be_sent_what_it_could_not_give_back() public {
        vm.deal(STRANGER, 1);
        bytes32 before = _fingerprint();
        vm.prank(STRANGER);
        (bool sent, bytes memory why) = address(zone).call{value: 1}("");
        assertFalse(sent, "coin");
        assertEq(why, abi.encodeWithSelector(SeaportReturnZone.ZoneUnsolicitedCoin.selector, STRANGER), "why");
        assertEq(_fingerprint(), before, "nothing moved");
        vm.prank(customer);
        (bool ok,) =
            address(nft).call(abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", customer, zone, 7));
        assertFalse(ok, "token");
        assertEq(nft.ownerOf(7), customer, "token");
    }

    // -- helpers ---------------------------------------------------------------------------------------------------

    function _of(address token) private view returns (AdvancedOrder memory order) {
        order = _order();
        order.parameters.offer[0].token = token;
        return order;
    }

    function _in(address asset) private view returns (AdvancedOrder memory order) {
        order = _order();
        order.parameters.consideration[0].token = asset;
        return order;
    }

    /// @dev Works, and is taken back.
    function _passes(AdvancedOrder memory order) private {
        (bool ok, bytes memory reason) = address(this).call(abi.encodeCall(this.tryFulfil, (_signed(order))));
        assertFalse(ok, "taken back");
        assertEq(reason, abi.encodeWithSignature("Error(string)", "passed"), "must pass");
    }

    function tryFulfil(AdvancedOrder memory order) external {
        _fulfil(order);
        _assertState(LINE, State.Settled);
        revert("passed");
    }

    function _list(address asset) private {
        _limit(ACME, asset, 6, 100e6, 400e6);
        SafeERC20.forceApprove(IERC20(asset), address(zone), 1000e6);
        zone.fundFloat(ACME, asset, 1000e6);
    }

    function _hostileAsset() private returns (HostileERC20 asset) {
        asset = new HostileERC20();
        asset.mint(address(this), 1000e6);
        asset.mint(address(zone), 5e6);
        _list(address(asset));
    }

    function _callsBack(
        HostileNFT token,
        AdvancedOrder memory order,
        address target,
        bytes memory payload,
        bytes memory why
    ) private {
        try this.tryCallBack(token, order, target, payload, why) {}
        catch (bytes memory reason) {
            assertEq(reason, abi.encodeWithSignature("Error(string)", "refused"), "reentry");
        }
    }

    /// @dev Always reverts, so that each callback meets the same fixture.
    function tryCallBack(
        HostileNFT token,
        AdvancedOrder memory order,
        address target,
        bytes memory payload,
        bytes memory why
    ) external {
        token.aim(target, payload);
        _fulfil(order);
        assertFalse(token.reentryOk(), "reentered");
        assertEq(token.reentryResult(), why, "why");
        assertEq(dollar.balanceOf(customer), 50e6, "paid once");
        revert("refused");
    }

    function _asked(address caller) private {
        bytes memory order = abi.encode(
            bytes32(uint256(5)), STRANGER, customer, new bytes32[](0), new bytes32[](0), "", new bytes32[](0), 0, 0, 0
        );
        bytes memory err = abi.encodeWithSelector(SeaportReturnZone.ZoneForeignFulfiller.selector, uint256(5), STRANGER);
        _refused(caller, bytes.concat(zone.authorizeOrder.selector, abi.encode(uint256(32)), order), err);
        _refused(caller, bytes.concat(zone.validateOrder.selector, abi.encode(uint256(32)), order), err);
    }

    function _ofHolder(address holder) private {
        bytes32 line = _line(holder, UUID);
        AdvancedOrder memory order = _order();
        order.parameters.offerer = holder;
        order.parameters.zoneHash = zone.zoneHashOf(line, ACME);
        bytes memory err = abi.encodeWithSelector(SeaportReturnZone.ZoneBadHolder.selector, line, holder);
        _refused(OPERATOR, abi.encodeCall(zone.fulfil, (line, ACME, order, "")), err);
    }

    function _badOffer(OfferItem memory item) private {
        AdvancedOrder memory order = _order();
        order.parameters.offer[0] = item;
        bytes memory err = abi.encodeWithSelector(
            SeaportReturnZone.ZoneBadOffer.selector, LINE, item.itemType, item.startAmount, item.endAmount
        );
        _refused(OPERATOR, _fulfilCall(order), err);
    }

    function _badRefund(ConsiderationItem memory item) private {
        AdvancedOrder memory order = _order();
        order.parameters.consideration[0] = item;
        bytes memory err = abi.encodeWithSelector(
            SeaportReturnZone.ZoneBadRefund.selector,
            LINE,
            item.itemType,
            item.token,
            item.identifierOrCriteria,
            item.startAmount,
            item.endAmount
        );
        _refused(OPERATOR, _fulfilCall(order), err);
    }

    /// @dev In a batch before a good one: the good one passes, and the bad one changes nothing.
    function _spoils(AdvancedOrder memory bad) private {
        uint256 float = zone.floatOf(ACME, NATIVE).balance;
        uint256 next = uint256(keccak256(bad.signature)) >> 130;
        bytes[] memory calls = new bytes[](2);
        (calls[0], calls[1]) = (_fulfilCall(bad), _callOf(next));
        vm.recordLogs();
        vm.prank(OPERATOR);
        zone.batch(calls, GAS_EACH);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 failed;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != Operated.ItemFailed.selector) continue;
            assertEq(logs[i].topics[1], LINE, "which");
            ++failed;
        }
        assertEq(failed, 1, "failed");
        assertEq(nft.ownerOf(next), ACME, "the other one");
        _assertState(LINE, State.None);
        assertEq(zone.floatOf(ACME, NATIVE).balance, float, "float");
        assertEq(address(zone).balance, 20 ether, "coin");
        assertEq(nft.ownerOf(7), customer, "token");
    }

    /// @dev A token and a line of this number, for one dollar.
    function _callOf(uint256 number) private returns (bytes memory) {
        if (_ownerOf(address(nft), number) == address(0)) _mintNft(customer, number);
        bytes32 line = _line(customer, number);
        AdvancedOrder memory order = _order();
        order.parameters.offer[0].identifierOrCriteria = number;
        order.parameters.zoneHash = zone.zoneHashOf(line, ACME);
        (order.parameters.consideration[0].startAmount, order.parameters.consideration[0].endAmount) = (1e6, 1e6);
        return abi.encodeCall(zone.fulfil, (line, ACME, _signed(order), ""));
    }

    function _canceled() private {
        _assertState(LINE, State.Canceled);
        bytes memory used = abi.encodeWithSelector(SeaportReturnZone.ZoneLineUsed.selector, LINE, State.Canceled);
        _orderRefused(_order(), used);
        _refused(customer, abi.encodeCall(zone.cancel, (LINE)), used);
    }

    function _cancellation(uint256 key, bytes32 line, address holder) private view returns (bytes memory) {
        bytes32 digest = _typed(keccak256(abi.encode(zone.CANCELLATION_TYPEHASH(), line, holder)));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _metadata() private view returns (bytes memory answer) {
        (, answer) = address(zone).staticcall(abi.encodeCall(zone.getSeaportMetadata, ()));
    }

    /// @dev The one event by which returns are followed, in the escrow's form.
    function _assertSwapped(address asset, uint256 refund) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        Vm.Log memory last = logs[logs.length - 1];
        assertEq(last.emitter, address(zone), "emitter");
        assertEq(last.topics[0], ReturnEscrow.Swapped.selector, "event");
        assertEq(last.topics[1], LINE, "line");
        assertEq(last.topics[2], bytes32(uint256(uint160(ACME))), "vault");
        assertEq(last.data, abi.encode(customer, nft, 7, 1, customer, asset, refund), "values");
    }

    function _assertOneFailed(bytes32 line, uint256 index, bytes memory reason) private {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 failed;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != Operated.ItemFailed.selector) continue;
            ++failed;
            assertEq(logs[i].topics[1], line, "line");
            assertEq(logs[i].data, abi.encode(index, zone.fulfil.selector, reason), "why");
        }
        assertEq(failed, 1, "failed");
    }

    function _count(uint256 offered, uint256 wanted, uint256 signed) private view returns (bytes memory) {
        return abi.encodeWithSelector(SeaportReturnZone.ZoneWrongItemCount.selector, LINE, offered, wanted, signed);
    }

    function _notHeld(address token, uint256 tokenId, uint256 held) private view returns (bytes memory) {
        return abi.encodeWithSelector(TokenCustody.TokenNotHeld.selector, token, tokenId, customer, held);
    }

    function _unproven(address token, uint256 tokenId) private pure returns (bytes memory) {
        return abi.encodeWithSelector(TokenCustody.TokenTransferUnproven.selector, token, tokenId, ACME);
    }

    function _unpaid(address asset, uint256 taken, uint256 expected) private pure returns (bytes memory) {
        return abi.encodeWithSelector(MerchantFloat.FloatPaymentUnproven.selector, asset, taken, expected);
    }
}
