// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {WalletCheck} from "../src/WalletCheck.sol";
import {Test} from "./Test.sol";
import {ContractWallet} from "./mocks/Accounts.sol";
import {SlowFactory} from "./mocks/Wallets.sol";

contract WalletCheckTest is Test {
    uint256 private constant KEY = 0xC0FFEE;
    bytes32 private constant DIGEST = keccak256("what was signed");
    bytes32 private constant UNDEPLOYED = 0x6492649264926492649264926492649264926492649264926492649264926492;

    SlowFactory private factory = new SlowFactory();

    function test_accepts_wallet_that_does_not_exist_yet() public {
        assertEq(_answer(_wallet(), _wrapped(KEY, 0)), abi.encode(true), "the wallet would accept");
    }

    function test_accepts_wallet_that_exists_by_now() public {
        factory.create(vm.addr(KEY), 0);
        assertEq(_answer(_wallet(), _wrapped(KEY, 0)), abi.encode(true), "the wallet accepts");
    }

    function test_refuses_another_key() public {
        assertEq(_answer(_wallet(), _wrapped(KEY + 1, 0)), abi.encode(false), "a stranger's key");
    }

    function test_refuses_call_that_deploys_another_wallet() public {
        assertEq(_answer(address(0xBAD), _wrapped(KEY, 0)), abi.encode(false), "nothing stands there");
    }

    function test_gives_as_much_gas_as_the_escrow() public {
        assertEq(_answer(_wallet(), _wrapped(KEY, 1_200_000)), abi.encode(true), "within 2 million");
    }

    function test_gives_no_more_gas_than_the_escrow() public {
        assertEq(_answer(_wallet(), _wrapped(KEY, 1_900_000)), abi.encode(false), "above 2 million");
    }

    function _answer(address wallet, bytes memory signature) private returns (bytes memory) {
        return address(new WalletCheck(wallet, DIGEST, signature)).code;
    }

    function _wallet() private view returns (address) {
        return factory.addressOf(vm.addr(KEY));
    }

    function _wrapped(uint256 key, uint256 burnt) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, DIGEST);
        bytes memory call = abi.encodeCall(factory.create, (vm.addr(KEY), burnt));
        return bytes.concat(abi.encode(address(factory), call, abi.encodePacked(r, s, v)), UNDEPLOYED);
    }
}
