// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Operated} from "../src/Operated.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {State} from "../src/ReturnEscrow.sol";
import {WalletDeployer} from "../src/WalletDeployer.sol";
import {Signatures} from "../src/lib/Signatures.sol";
import {EscrowTest} from "./EscrowTest.sol";
import {WalletFactory} from "./mocks/Wallets.sol";

/// @notice Signatures of wallets that may not exist yet (EIP-6492), and what their factories would like to do.
contract UndeployedWalletTest is EscrowTest {
    bytes32 private constant MARK = 0x6492649264926492649264926492649264926492649264926492649264926492;
    bytes32 private constant SALT = "salt";

    WalletFactory private _factory;
    address private _wallet;

    /// @dev The wallet has token 9, and no code.
    function setUp() public override {
        super.setUp();
        _factory = new WalletFactory();
        _wallet = _factory.foresee(customer, SALT);
        _mintNft(_wallet, 9);
    }

    function test_the_deposit_itself_deploys_the_wallet() public {
        assertEq(_wallet.code.length, 0, "not there yet");
        _operate(abi.encodeCall(escrow.deposit, (_auth(), _wrapped(_auth()))));
        assertTrue(_wallet.code.length != 0, "there now");
        assertEq(nft.ownerOf(9), address(escrow), "in escrow");
        _assertState(_auth().line, State.Held);
    }

    function test_the_swap_itself_deploys_the_wallet() public {
        ReturnAuthorization memory auth = _auth();
        (auth.remedy, auth.asset, auth.refund) = (uint8(Remedy.CryptoRefund), address(dollar), 50e6);
        _operate(abi.encodeCall(escrow.swap, (auth, _wrapped(auth), "")));
        assertEq(nft.ownerOf(9), ACME, "token");
        assertEq(dollar.balanceOf(customer), 50e6, "money");
    }

    function test_a_signed_cancellation_deploys_the_wallet_too() public {
        bytes32 message = keccak256(abi.encode(escrow.CANCELLATION_TYPEHASH(), _auth().line, _wallet, _hash(_auth())));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _typed(message));
        vm.prank(STRANGER);
        escrow.cancelBySignature(_auth(), _wrap(address(_factory), _deployCall(), abi.encodePacked(r, s, v)));
        _assertState(_auth().line, State.Canceled);
        assertTrue(_wallet.code.length != 0, "there now");
    }

    /// @dev Somebody else may deploy it first, with the same call.
    function test_a_wallet_that_is_there_already_is_not_deployed_again() public {
        _factory.deploy(customer, SALT);
        _operate(abi.encodeCall(escrow.deposit, (_auth(), _wrapped(_auth()))));
        assertEq(_factory.deployed(), 1, "once");
        assertEq(nft.ownerOf(9), address(escrow), "in escrow");
    }

    /// @dev The factory is not even asked: what it would do is no longer needed.
    function test_a_wallet_that_is_there_already_does_not_depend_on_its_factory() public {
        _factory.deploy(customer, SALT);
        bytes memory call = abi.encodeCall(_factory.deploy, (customer, "other"));
        bytes memory signature = _wrap(address(_factory), call, _sign(_auth()));
        _operate(abi.encodeCall(escrow.deposit, (_auth(), signature)));
        assertEq(nft.ownerOf(9), address(escrow), "in escrow");
        assertEq(_factory.deployed(), 1, "not asked");
    }

    function test_a_wallet_that_is_there_already_takes_a_plain_signature() public {
        _factory.deploy(customer, SALT);
        _operate(abi.encodeCall(escrow.deposit, (_auth(), _sign(_auth()))));
        assertEq(nft.ownerOf(9), address(escrow), "in escrow");
    }

    function test_refuses_a_wallet_that_is_not_there_with_a_plain_signature() public {
        bytes memory signature = _sign(_auth());
        bytes memory err = _signatureInvalid(_wallet, escrow.digestOf(_auth()), signature);
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (_auth(), signature)), err);
    }

    function test_refuses_another_signer_and_leaves_the_wallet_undeployed() public {
        bytes memory inner = _signWith(KEY + 1, _auth());
        _wrapRefused(address(_factory), _deployCall(), inner);
        assertEq(_factory.deployed(), 0, "undone");
    }

    function test_refuses_a_factory_that_fails_or_puts_the_wallet_elsewhere() public {
        bytes memory inner = _sign(_auth());
        _wrapRefused(address(_factory), abi.encodeCall(_factory.fail, (0)), inner);
        _wrapRefused(address(_factory), abi.encodeCall(_factory.fail, (100_000)), inner);
        _wrapRefused(address(_factory), abi.encodeCall(_factory.deploy, (customer, "other")), inner);
        _wrapRefused(address(_factory), abi.encodeCall(_factory.deploy, (STRANGER, SALT)), inner);
        _wrapRefused(address(_factory), "", inner);
        _wrapRefused(address(0), _deployCall(), inner);
        _wrapRefused(STRANGER, _deployCall(), inner);
    }

    /// @dev Without code the wallet is a key, whose signature needs no wrapping; wrapped, it is refused.
    function test_a_key_does_not_sign_in_wrapping() public {
        ReturnAuthorization memory auth = _depositAuth();
        bytes memory signature = _wrap(STRANGER, "", _sign(auth));
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (auth, signature)), _refusal(auth));
    }

    function test_refuses_malformed_wrapping() public {
        bytes[4] memory wrong = [
            abi.encodePacked(uint8(1), MARK),
            abi.encodePacked(bytes32("too short"), MARK),
            abi.encodePacked(type(uint256).max, type(uint256).max, type(uint256).max, MARK),
            abi.encodePacked(address(_factory), _deployCall(), _sign(_auth()), MARK)
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            _refused(OPERATOR, abi.encodeCall(escrow.deposit, (_auth(), wrong[i])), _refusal(_auth()));
        }
        bytes memory markAlone = abi.encodePacked(MARK);
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (_auth(), markAlone)), _refusal(_auth()));
    }

    function testFuzz_refuses_any_wrapping_of_nonsense(bytes calldata nonsense) public {
        bytes memory signature = abi.encodePacked(nonsense, uint8(0), MARK);
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (_auth(), signature)), _refusal(_auth()));
    }

    function test_a_greedy_factory_costs_a_bounded_amount_of_gas() public {
        _factory.turnGreedy();
        bytes memory call = abi.encodeCall(escrow.deposit, (_auth(), _wrapped(_auth())));
        uint256 before = gasleft();
        _refused(OPERATOR, call, _refusal(_auth()));
        assertTrue(before - gasleft() < escrow.WALLET_GAS() + 500_000, "bounded");
    }

    /// @dev Whatever a factory says it is: the call is made by an account that nobody trusts.
    function test_escrow_or_token_as_factory_can_do_nothing() public {
        _deposit(_depositAuth());
        bytes[] memory calls = _temptations(address(escrow.WALLET_DEPLOYER()));
        for (uint256 i = 0; i < calls.length; ++i) {
            _assertHarmless(address(escrow), calls[i]);
        }
        _assertHarmless(address(nft), abi.encodeCall(nft.transferFrom, (address(escrow), STRANGER, 7)));
        _assertHarmless(address(nft), abi.encodeCall(nft.transferFrom, (_wallet, STRANGER, 9)));
        _assertHarmless(address(dollar), abi.encodeCall(dollar.transfer, (STRANGER, 1)));
        _assertHarmless(address(dollar), abi.encodeCall(dollar.transferFrom, (address(escrow), STRANGER, 1)));
        _assertHarmless(address(dollar), abi.encodeCall(dollar.approve, (STRANGER, type(uint256).max)));
        assertEq(dollar.allowance(address(escrow), STRANGER), 0, "not in the escrow's name");
        assertEq(nft.ownerOf(9), _wallet, "still the wallet's");
    }

    /// @dev The same calls by a factory that is an operator of the desk, while it deploys a good wallet.
    function test_a_factory_that_calls_back_finds_the_door_locked() public {
        _change(abi.encodeCall(escrow.grantRole, (escrow.OPERATOR_ROLE(), address(_factory))));
        bytes[] memory calls = _temptations(address(_factory));
        for (uint256 i = 0; i < calls.length; ++i) {
            _factory.aim(address(escrow), calls[i]);
            bytes32 salt = bytes32(i);
            address wallet = _factory.foresee(customer, salt);
            _mintNft(wallet, 100 + i);
            ReturnAuthorization memory auth = _authOf(wallet, 100 + i);
            bytes memory signature =
                _wrap(address(_factory), abi.encodeCall(_factory.deploy, (customer, salt)), _sign(auth));
            _operate(abi.encodeCall(escrow.deposit, (auth, signature)));
            assertFalse(_factory.callOk(), "nothing");
            assertEq(_factory.callResult(), abi.encodeWithSelector(Operated.Reentered.selector), "locked");
            assertEq(nft.ownerOf(100 + i), address(escrow), "and the deposit is a deposit");
        }
    }

    function test_anybody_may_ask_the_deployer_and_gets_nothing_but_an_answer() public {
        WalletDeployer deployer = escrow.WALLET_DEPLOYER();
        bytes32 digest = escrow.digestOf(_auth());
        bytes32 before = _fingerprint();
        bytes memory wrapped = _wrapped(_auth());
        vm.prank(STRANGER);
        assertTrue(deployer.isValid(_wallet, digest, wrapped), "valid");
        assertFalse(deployer.isValid(_wallet, keccak256("other"), wrapped), "another digest");
        assertFalse(deployer.isValid(STRANGER, digest, wrapped), "no code");
        (bool ok,) = address(deployer).call(abi.encodeCall(deployer.isValid, (_wallet, digest, hex"64")));
        assertFalse(ok, "too short to be wrapped");
        assertEq(_fingerprint(), before, "nothing else");
        bytes32[4] memory roles = [bytes32(0), escrow.OPERATOR_ROLE(), escrow.APPROVER_ROLE(), escrow.TREASURER_ROLE()];
        for (uint256 i = 0; i < roles.length; ++i) {
            assertFalse(escrow.hasRole(roles[i], address(deployer)), "nobody trusts it");
        }
    }

    /// @dev Calls of the escrow by which somebody could win something, were they let in.
    function _temptations(address caller) private view returns (bytes[] memory calls) {
        ReturnAuthorization memory auth = _swapAuth();
        auth.line = _line(customer, UUID + 2);
        ReturnAuthorization memory own = _authOf(caller, 9);
        calls = new bytes[](8);
        calls[0] = abi.encodeCall(escrow.swap, (auth, _sign(auth), ""));
        calls[1] = abi.encodeCall(escrow.release, (_depositAuth()));
        calls[2] = abi.encodeCall(escrow.deposit, (own, ""));
        calls[3] = abi.encodeCall(escrow.reclaim, (own, STRANGER));
        calls[4] = abi.encodeCall(escrow.cancel, (own));
        calls[5] = abi.encodeCall(escrow.claim, (NATIVE, STRANGER));
        calls[6] = abi.encodeCall(escrow.batch, (new bytes[](1), 1));
        calls[7] = abi.encodeCall(escrow.fundFloat, (ACME, NATIVE, 0));
    }

    /// @dev Neither inside a deposit, nor when a stranger asks the deployer, whom no lock holds back.
    function _assertHarmless(address factory, bytes memory call) private {
        _wrapRefused(factory, call, _sign(_auth()));
        bytes32 before = _fingerprint();
        WalletDeployer deployer = escrow.WALLET_DEPLOYER();
        assertFalse(deployer.isValid(_wallet, 0, _wrap(factory, call, "")), "no wallet");
        assertEq(_fingerprint(), before, "nothing was lost");
    }

    function _auth() private view returns (ReturnAuthorization memory) {
        return _authOf(_wallet, 9);
    }

    function _authOf(address holder, uint256 tokenId) private view returns (ReturnAuthorization memory auth) {
        auth = _depositAuth();
        (auth.line, auth.holder, auth.tokenId) = (_line(holder, UUID), holder, tokenId);
    }

    function _deployCall() private view returns (bytes memory) {
        return abi.encodeCall(_factory.deploy, (customer, SALT));
    }

    function _wrapped(ReturnAuthorization memory auth) private view returns (bytes memory) {
        return _wrap(address(_factory), _deployCall(), _sign(auth));
    }

    function _wrap(address factory, bytes memory call, bytes memory inner) private pure returns (bytes memory) {
        return abi.encodePacked(abi.encode(factory, call, inner), MARK);
    }

    /// @dev Refused, nothing of the escrow changed, and no wallet is left behind.
    function _wrapRefused(address factory, bytes memory call, bytes memory inner) private {
        bytes memory signature = _wrap(factory, call, inner);
        _refused(OPERATOR, abi.encodeCall(escrow.deposit, (_auth(), signature)), _refusal(_auth()));
        assertFalse(escrow.isUsed(_auth()), "a refused signature uses nothing up");
        assertEq(_wallet.code.length, 0, "no wallet");
    }

    function _refusal(ReturnAuthorization memory auth) private view returns (bytes memory) {
        return
            abi.encodeWithSelector(Signatures.SignatureInvalid.selector, auth.holder, address(0), escrow.digestOf(auth));
    }
}
