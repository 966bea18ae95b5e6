// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ReturnableOwnership} from "../src/ReturnableOwnership.sol";
import {Test, Vm} from "./Test.sol";
import {PlainNFT} from "./mocks/HonestTokens.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";

/// @notice The ownership layer alone, with the mint that it leaves to others.
contract BareOwnership is ReturnableOwnership {
    constructor(address escrow, address vault) ERC721("Plain", "PLN") ReturnableOwnership(escrow, vault) {}

    function mint(address to, uint256 tokenId) external {
        _mint(to, tokenId);
    }
}

/// @notice The replaced storage against OpenZeppelin's own: the same calls have the same results, errors and events.
contract ReturnableOwnershipTest is Test {
    address private constant ESCROW = address(0xE1);
    uint256 private constant ACCOUNTS = 4;
    uint256 private constant IDS = 3;

    PlainNFT private model;
    BareOwnership private ours;

    function setUp() public {
        model = new PlainNFT();
        ours = new BareOwnership(ESCROW, _account(1));
    }

    function testFuzz_behaves_like_openzeppelin(uint256[64] calldata seeds) public {
        for (uint256 i = 0; i < seeds.length; ++i) {
            _sameCall(_account(seeds[i] >> 8), _callOf(seeds[i]));
        }
        for (uint256 id = 0; id < IDS; ++id) {
            _sameAnswer(abi.encodeCall(model.ownerOf, (id)));
            _sameAnswer(abi.encodeCall(model.getApproved, (id)));
            _sameAnswer(abi.encodeCall(model.tokenURI, (id)));
        }
        for (uint256 a = 0; a < ACCOUNTS; ++a) {
            _sameAnswer(abi.encodeCall(model.balanceOf, (_account(a))));
            for (uint256 b = 0; b < ACCOUNTS; ++b) {
                _sameAnswer(abi.encodeCall(model.isApprovedForAll, (_account(a), _account(b))));
            }
        }
    }

    function _callOf(uint256 seed) private view returns (bytes memory) {
        (address a, address b, uint256 id) = (_account(seed >> 16), _account(seed >> 24), (seed >> 32) % IDS);
        // Mostly the true owner, or few transfers would pass.
        if (seed >> 40 & 3 != 0) a = _ownerOf(id);
        uint256 kind = seed % 6;
        if (kind == 0) return abi.encodeCall(model.mint, (b, id));
        if (kind == 1) return abi.encodeCall(model.approve, (b, id));
        if (kind == 2) return abi.encodeCall(model.setApprovalForAll, (b, seed >> 48 & 1 == 0));
        if (kind == 3) return abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", a, b, id);
        return abi.encodeCall(model.transferFrom, (a, b, id));
    }

    function _sameCall(address caller, bytes memory data) private {
        (bool ok, bytes memory result, bytes32 logs) = _run(address(model), caller, data);
        (bool ourOk, bytes memory ourResult, bytes32 ourLogs) = _run(address(ours), caller, data);
        assertTrue(ok == ourOk, "both or neither");
        assertEq(result, ourResult, "the same result or error");
        assertEq(logs, ourLogs, "the same events");
    }

    function _run(address target, address caller, bytes memory data)
        private
        returns (bool ok, bytes memory result, bytes32 digest)
    {
        vm.recordLogs();
        vm.prank(caller);
        (ok, result) = target.call(data);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            digest = keccak256(abi.encode(digest, logs[i].topics, logs[i].data));
        }
    }

    function _sameAnswer(bytes memory data) private view {
        (bool ok, bytes memory result) = address(model).staticcall(data);
        (bool ourOk, bytes memory ourResult) = address(ours).staticcall(data);
        assertTrue(ok == ourOk, "both or neither");
        assertEq(result, ourResult, "the same answer");
    }

    function _ownerOf(uint256 id) private view returns (address) {
        try model.ownerOf(id) returns (address owner) {
            return owner;
        } catch {
            return address(0);
        }
    }

    /// @dev The zero address is one of them; the second is the vault.
    function _account(uint256 seed) private pure returns (address) {
        uint256 which = seed % ACCOUNTS;
        return which == 0 ? address(0) : address(uint160(0xF0 + which));
    }
}
