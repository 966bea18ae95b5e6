// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hold, HoldState, IReturnEscrow, Remedy, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {ContractWallet} from "./mocks/Accounts.sol";
import {PlainNFT} from "./mocks/HonestTokens.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

contract DepositTest is EscrowTest {
    function test_takes_the_token_and_remembers_the_hold() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _sign(auth);
        vm.expectEmit(address(escrow));
        emit IReturnEscrow.Deposited(LINE, ACME, customer, address(nft), 7, 1, auth.reclaimAfter);
        vm.prank(OPERATOR);
        escrow.deposit(auth, signature);
        assertEq(nft.ownerOf(7), address(escrow), "in escrow");
        assertTrue(escrow.isUsed(escrow.digestOf(auth)), "success uses the authorization up");
        Hold memory expected = Hold({
            depositor: customer,
            reclaimAfter: auth.reclaimAfter,
            commitUntil: auth.commitUntil,
            state: uint8(HoldState.Held),
            merchant: ACME,
            token: address(nft),
            tokenId: 7,
            amount: 1
        });
        assertEq(abi.encode(escrow.holdOf(LINE)), abi.encode(expected), "hold");
    }

    function test_unknown_line_is_all_zero() public view {
        Hold memory nothing;
        assertEq(abi.encode(escrow.holdOf("nothing")), abi.encode(nothing), "hold");
    }

    function test_takes_store_credit_too() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.remedy = uint8(Remedy.StoreCredit);
        _deposit(auth);
        _assertState(LINE, HoldState.Held);
    }

    function test_takes_an_amount_of_erc1155() public {
        ReturnAuthorization memory auth = _multiAuth(40);
        _deposit(auth);
        assertEq(multi.balanceOf(address(escrow), 3), 40, "in escrow");
        assertEq(multi.balanceOf(customer, 3), 60, "the rest stays");
        assertEq(escrow.holdOf(LINE).amount, 40, "amount");
    }

    function testFuzz_keeps_any_token_id_and_amount_exactly(uint256 tokenId, uint256 amount, bool erc1155) public {
        vm.assume(tokenId != 7 && tokenId != 3);
        ReturnAuthorization memory auth =
            erc1155 ? _multiAuth(amount = bound(amount, 1, type(uint256).max)) : _depositAuth();
        auth.tokenId = tokenId;
        if (erc1155) multi.mint(customer, tokenId, amount);
        else _mintNft(customer, tokenId);
        _deposit(auth);
        assertEq(escrow.holdOf(LINE).tokenId, tokenId, "token id");
        assertEq(escrow.holdOf(LINE).amount, erc1155 ? amount : 1, "amount");
        vm.prank(OPERATOR);
        escrow.release(LINE);
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
        _assertState(LINE, HoldState.Held);
    }

    function test_refuses_expired_deadline() public {
        vm.warp(START + 1 hours + 1);
        ReturnAuthorization memory auth = _depositAuth();
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowDeadlinePassed.selector, auth.deadline));
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

    function test_refuses_crypto_refund_and_unknown_remedies() public {
        ReturnAuthorization memory auth = _depositAuth();
        uint8[3] memory wrong = [uint8(Remedy.CryptoRefund), 3, 255];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.remedy = wrong[i];
            _depositRefused(
                auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongRemedy.selector, LINE, wrong[i])
            );
        }
    }

    function test_refuses_a_line_twice() public {
        _held();
        _mintNft(customer, 8);
        ReturnAuthorization memory auth = _depositAuth();
        auth.tokenId = 8;
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowLineUsed.selector, LINE));
    }

    function test_refuses_a_line_again_after_its_release() public {
        _held();
        vm.prank(OPERATOR);
        escrow.release(LINE);
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory call = abi.encodeCall(escrow.deposit, (auth, _sign(auth)));
        _refused(OPERATOR, call, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowLineUsed.selector, LINE));
    }

    function test_refuses_unknown_merchant() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.merchant = "nobody";
        bytes32 nobody = "nobody";
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowMerchantUnknown.selector, nobody));
    }

    function test_refuses_recipients_that_lose_money() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.recipient = address(0);
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowBadRecipient.selector, address(0)));
        auth.recipient = address(escrow);
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowBadRecipient.selector, address(escrow)));
    }

    function test_refuses_wrong_amounts() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.amount = 2;
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongAmount.selector, 2));
        auth.amount = 0;
        _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongAmount.selector, 0));
        _depositRefused(_multiAuth(0), abi.encodeWithSelector(IReturnEscrow.ReturnEscrowWrongAmount.selector, 0));
    }

    function test_refuses_more_than_the_holder_has() public {
        bytes memory err =
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotHolder.selector, address(multi), 3, customer);
        _depositRefused(_multiAuth(101), err);
    }

    function test_refuses_what_is_not_a_token() public {
        ReturnAuthorization memory auth = _depositAuth();
        address[3] memory wrong = [STRANGER, address(dollar), address(escrow)];
        for (uint256 i = 0; i < wrong.length; ++i) {
            auth.token = wrong[i];
            _depositRefused(auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowUnsupportedToken.selector, wrong[i]));
        }
    }

    function test_refuses_a_token_that_the_signer_does_not_own() public {
        vm.prank(customer);
        nft.transferFrom(customer, STRANGER, 7);
        _depositRefused(
            _depositAuth(),
            abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotHolder.selector, address(nft), 7, customer)
        );
    }

    function test_refuses_a_token_that_does_not_exist() public {
        ReturnAuthorization memory auth = _depositAuth();
        auth.tokenId = 404;
        _depositRefused(
            auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowNotHolder.selector, address(nft), 404, customer)
        );
    }

    function test_refuses_without_approval_and_says_why() public {
        PlainNFT plain = new PlainNFT();
        plain.mint(customer, 1);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.token, auth.tokenId) = (address(plain), 1);
        bytes memory reason = abi.encodeWithSignature("ERC721InsufficientApproval(address,uint256)", address(escrow), 1);
        _depositRefused(
            auth, abi.encodeWithSelector(IReturnEscrow.ReturnEscrowTransferFailed.selector, address(plain), 1, reason)
        );
    }

    function test_refuses_anybody_but_the_operator() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory call = abi.encodeCall(escrow.deposit, (auth, _sign(auth)));
        _refused(customer, call, _unauthorized(customer, escrow.OPERATOR_ROLE()));
    }

    function test_refuses_while_paused() public {
        vm.prank(GUARDIAN);
        escrow.pause();
        _depositRefused(_depositAuth(), abi.encodeWithSelector(Pausable.EnforcedPause.selector));
        vm.prank(GUARDIAN);
        escrow.unpause();
        _held();
        _assertState(LINE, HoldState.Held);
    }

    function test_takes_from_a_contract_wallet() public {
        ContractWallet wallet = new ContractWallet(customer);
        _mintNft(address(wallet), 9);
        ReturnAuthorization memory auth = _depositAuth();
        (auth.holder, auth.tokenId) = (address(wallet), 9);
        _deposit(auth);
        assertEq(escrow.holdOf(LINE).depositor, address(wallet), "depositor");
        vm.warp(START + 7 days + 1);
        wallet.run(address(escrow), abi.encodeCall(escrow.reclaim, (LINE)));
        assertEq(nft.ownerOf(9), address(wallet), "and back, without a receiver hook");
    }

    function _multiAuth(uint256 amount) private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.token, auth.tokenId, auth.amount) = (address(multi), 3, amount);
    }

    function _badDates(ReturnAuthorization memory auth) private pure returns (bytes memory) {
        return
            abi.encodeWithSelector(
                IReturnEscrow.ReturnEscrowBadReclaimDates.selector, auth.reclaimAfter, auth.commitUntil
            );
    }
}
