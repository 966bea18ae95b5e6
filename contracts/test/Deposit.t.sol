// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {TokenCustody} from "../src/TokenCustody.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";
import {PlainNFT} from "./mocks/HonestTokens.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

contract DepositTest is EscrowTest {
    function test_takes_the_token_and_tells_all_that_is_needed_to_take_it_back() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _sign(auth);
        assertFalse(escrow.isUsed(auth), "not yet");
        vm.expectEmit(address(escrow));
        emit ReturnEscrow.Deposited(LINE, ACME, customer, auth);
        vm.prank(OPERATOR);
        escrow.deposit(auth, signature);
        assertEq(nft.ownerOf(7), address(escrow), "in escrow");
        _assertState(LINE, State.Held);
        assertTrue(escrow.isUsed(auth), "success uses the authorization up");
        auth.refund += 1;
        assertFalse(escrow.isUsed(auth), "this one, and no other of the line");
    }

    function test_unknown_line_is_nothing() public view {
        _assertState("nothing", State.None);
    }

    function test_takes_every_remedy_that_takes_the_token() public {
        for (uint8 remedy = 0; remedy < uint8(Remedy.PartialRefund); ++remedy) {
            _mintNft(customer, 100 + remedy);
            ReturnAuthorization memory auth = _depositAuth();
            (auth.line, auth.tokenId, auth.remedy) = (_line(customer, 100 + remedy), 100 + remedy, remedy);
            _deposit(auth);
            _assertState(auth.line, State.Held);
            assertEq(nft.ownerOf(100 + remedy), address(escrow), "in escrow");
        }
    }

    function test_takes_an_amount_of_erc1155() public {
        _deposit(_multiAuth(40));
        assertEq(multi.balanceOf(address(escrow), 3), 40, "in escrow");
        assertEq(multi.balanceOf(customer, 3), 60, "the rest stays");
        _assertState(LINE, State.Held);
        assertTrue(escrow.isUsed(_multiAuth(40)), "remembered");
    }

    function test_takes_all_that_the_holder_has() public {
        _deposit(_multiAuth(100));
        assertEq(multi.balanceOf(address(escrow), 3), 100, "in escrow");
    }

    function testFuzz_any_token_id_and_amount_comes_and_goes_back_whole(uint256 tokenId, uint256 amount, bool erc1155)
        public
    {
        vm.assume(tokenId != 7 && tokenId != 3);
        amount = erc1155 ? bound(amount, 1, type(uint256).max) : 1;
        ReturnAuthorization memory auth = erc1155 ? _multiAuth(amount) : _depositAuth();
        auth.tokenId = tokenId;
        if (erc1155) multi.mint(customer, tokenId, amount);
        else _mintNft(customer, tokenId);
        _deposit(auth);
        if (erc1155) assertEq(multi.balanceOf(address(escrow), tokenId), amount, "all of it");
        _operate(abi.encodeCall(escrow.release, (auth)));
        if (erc1155) assertEq(multi.balanceOf(customer, tokenId), amount, "all of it comes back");
        else assertEq(nft.ownerOf(tokenId), customer, "comes back");
    }

    function testFuzz_accepts_exactly_the_sensible_dates(uint48 deadline, uint48 reclaimAfter, uint48 commitUntil)
        public
    {
        ReturnAuthorization memory auth = _depositAuth();
        auth.deadline = uint48(bound(deadline, START - 2, START + 2));
        auth.reclaimAfter = uint48(bound(reclaimAfter, START - 2, START + 3));
        auth.commitUntil = uint48(bound(commitUntil, START - 2, START + 4));
        bytes memory signature = _sign(auth);
        vm.prank(OPERATOR);
        (bool ok,) = address(escrow).call(abi.encodeCall(escrow.deposit, (auth, signature)));
        bool sensible = auth.deadline >= START && auth.reclaimAfter > START && auth.commitUntil >= auth.reclaimAfter;
        assertTrue(ok == sensible, "dates");
    }

    function test_accepts_the_last_second_of_the_deadline() public {
        vm.warp(START + 1 hours);
        _held();
        _assertState(LINE, State.Held);
    }

    function test_refuses_expired_deadline() public {
        vm.warp(START + 1 hours + 1);
        ReturnAuthorization memory auth = _depositAuth();
        _depositRefused(
            auth, abi.encodeWithSelector(ReturnEscrow.ReturnEscrowDeadlinePassed.selector, LINE, auth.deadline)
        );
    }

    function test_refuses_reclaim_date_that_is_not_in_the_future() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.reclaimAfter = uint48(START);
        _depositRefused(auth, _badDates(auth));
    }

    function test_refuses_second_date_before_the_first() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.commitUntil = auth.reclaimAfter - 1;
        _depositRefused(auth, _badDates(auth));
    }

    function test_refuses_partial_refund_and_unknown_remedies() public {
        ReturnAuthorization memory auth = _depositAuth();
        uint8[3] memory wrong = [uint8(Remedy.PartialRefund), 5, 255];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.remedy = wrong[i];
            _depositRefused(auth, _wrongRemedy(wrong[i]));
        }
    }

    function test_refuses_a_line_twice() public {
        _held();
        _mintNft(customer, 8);
        ReturnAuthorization memory auth = _depositAuth();
        auth.tokenId = 8;
        _depositRefused(auth, _idUsed(LINE, State.Held));
        assertEq(nft.ownerOf(8), customer, "not moved");
    }

    function test_refuses_a_reused_signature_also_after_the_token_came_back() public {
        _held();
        _operate(abi.encodeCall(escrow.release, (_depositAuth())));
        bytes memory call = abi.encodeCall(escrow.deposit, (_depositAuth(), _sign(_depositAuth())));
        _refused(OPERATOR, call, _idUsed(LINE, State.Released));
    }

    function test_refuses_a_line_of_somebody_else() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.line = _line(STRANGER, UUID);
        _depositRefused(
            auth, abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, auth.line, customer)
        );
        _assertState(auth.line, State.None);
    }

    function testFuzz_a_line_has_to_carry_its_holder(uint128 owner, uint128 uuid) public {
        vm.assume(owner != uint128(uint160(customer)));
        ReturnAuthorization memory auth = _depositAuth();
        auth.line = bytes32(uint256(owner) << 128 | uuid);
        _depositRefused(
            auth, abi.encodeWithSelector(ReturnEscrow.ReturnEscrowForeignLine.selector, auth.line, customer)
        );
    }

    function test_refuses_unknown_merchants() public {
        ReturnAuthorization memory auth = _depositAuth();
        address[2] memory wrong = [address(0), STRANGER];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.vault = wrong[i];
            _depositRefused(auth, abi.encodeWithSelector(MerchantFloat.MerchantUnknown.selector, wrong[i]));
        }
    }

    function test_refuses_recipients_that_lose_money() public {
        ReturnAuthorization memory auth = _depositAuth();
        address[2] memory wrong = [address(0), address(escrow)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.recipient = wrong[i];
            _depositRefused(auth, abi.encodeWithSelector(MerchantFloat.FloatBadRecipient.selector, wrong[i]));
        }
    }

    function test_refuses_wrong_amounts() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.amount = 2;
        _depositRefused(auth, _wrongAmount(address(nft), 2));
        auth.amount = 0;
        _depositRefused(auth, _wrongAmount(address(nft), 0));
        _depositRefused(_multiAuth(0), _wrongAmount(address(multi), 0));
    }

    function test_refuses_more_than_the_holder_has() public {
        _depositRefused(_multiAuth(101), _notHeld(address(multi), 3, customer, 100));
    }

    function test_refuses_what_is_not_a_token() public {
        ReturnAuthorization memory auth = _depositAuth();
        address[4] memory wrong = [address(0), STRANGER, address(dollar), address(escrow)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.token = wrong[i];
            _depositRefused(auth, abi.encodeWithSelector(TokenCustody.TokenUnsupported.selector, wrong[i]));
        }
    }

    function test_refuses_a_token_that_the_signer_does_not_own() public {
        vm.prank(customer);
        nft.transferFrom(customer, STRANGER, 7);
        _depositRefused(_depositAuth(), _notHeld(address(nft), 7, customer, 0));
    }

    function test_refuses_a_token_that_does_not_exist() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.tokenId = 404;
        _depositRefused(auth, _notHeld(address(nft), 404, customer, 0));
    }

    function test_refuses_a_token_that_is_already_in_escrow() public {
        _held();
        ReturnAuthorization memory auth = _depositAuth();
        auth.line = _line(customer, UUID + 1);
        _depositRefused(auth, _notHeld(address(nft), 7, customer, 0));
    }

    function test_refuses_without_approval_and_says_why() public {
        PlainNFT plain = new PlainNFT();
        plain.mint(customer, 1);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.token, auth.tokenId) = (address(plain), 1);
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 1);
        _depositRefused(auth, _transferFailed(address(plain), 1, reason));
        assertEq(plain.ownerOf(1), customer, "not moved");
    }

    function test_refuses_anybody_but_the_operator() public {
        bytes memory call = abi.encodeCall(escrow.deposit, (_depositAuth(), _sign(_depositAuth())));
        address[5] memory others = [customer, ADMIN_A, GUARDIAN, TREASURER, ACME];
        bytes32 role = escrow.OPERATOR_ROLE();
        for (uint256 i = 0; i < others.length; ++i) {
            _refused(others[i], call, _unauthorized(others[i], role));
        }
    }

    function test_refuses_while_paused() public {
        _pause();
        _depositRefused(_depositAuth(), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(GUARDIAN);
        escrow.unpause();
        _held();
        _assertState(LINE, State.Held);
    }

    function test_takes_from_a_contract_wallet_and_gives_back_without_a_hook() public {
        ContractWallet wallet = new ContractWallet(customer);
        _mintNft(address(wallet), 9);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.line, auth.holder, auth.tokenId) = (_line(address(wallet), UUID), address(wallet), 9);
        _deposit(auth);
        assertEq(nft.ownerOf(9), address(escrow), "in escrow");
        vm.warp(START + 7 days + 1);
        wallet.run(address(escrow), abi.encodeCall(escrow.reclaim, (auth, address(wallet))));
        assertEq(nft.ownerOf(9), address(wallet), "and back");
    }

    function _badDates(ReturnAuthorization memory auth) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            ReturnEscrow.ReturnEscrowBadReclaimDates.selector, auth.line, auth.reclaimAfter, auth.commitUntil
        );
    }

    function _wrongAmount(address token, uint256 amount) private pure returns (bytes memory) {
        return abi.encodeWithSelector(TokenCustody.TokenWrongAmount.selector, token, amount);
    }
}
