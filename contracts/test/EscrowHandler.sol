// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Hold, HoldState, Remedy, ReturnAuthorization} from "../src/IReturnEscrow.sol";
import {ReturnEscrow} from "../src/ReturnEscrow.sol";
import {TestDollar} from "../src/TestDollar.sol";
import {Test} from "./Test.sol";
import {RefusingRecipient} from "./mocks/Accounts.sol";
import {Plain1155, PlainNFT} from "./mocks/HonestTokens.sol";

/// @notice Acts for everybody at random, and keeps its own books to compare the escrow with.
contract EscrowHandler is Test {
    address public constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    uint256 public constant TOKEN_1155 = 3;

    ReturnEscrow public immutable ESCROW;
    TestDollar public immutable DOLLAR;
    PlainNFT public immutable NFT;
    Plain1155 public immutable MULTI;
    RefusingRecipient public immutable REFUSING;

    bytes32[2] public merchants = [bytes32("acme"), "bolt"];
    uint256[3] private _keys = [uint256(0xA11CE), 0xB0B, 0xCAB];
    uint256 private _clock;

    /// @dev Books: what each merchant should have, what each claimant should have.
    mapping(bytes32 merchant => mapping(address asset => uint256)) public float;
    uint256 public claims;
    /// @dev What recipients other than the refusing one were paid.
    mapping(address asset => uint256) public pushed;
    uint256 public payouts;
    uint256 public doubles;

    bytes32[] public lines;
    ReturnAuthorization[] private _auths;
    bytes[] private _signatures;
    uint256 private _swaps;

    constructor(ReturnEscrow escrow, TestDollar dollar, uint256 start) {
        (ESCROW, DOLLAR, _clock) = (escrow, dollar, start);
        (NFT, MULTI, REFUSING) = (new PlainNFT(), new Plain1155(), new RefusingRecipient());
        for (uint256 i = 0; i < 3; ++i) {
            vm.startPrank(vm.addr(_keys[i]));
            NFT.setApprovalForAll(address(escrow), true);
            MULTI.setApprovalForAll(address(escrow), true);
            vm.stopPrank();
        }
    }

    function passTime(uint256 seconds_) external {
        _clock += bound(seconds_, 1, 3 days);
    }

    function fund(uint256 who, uint256 amount, bool native) external onTime {
        bytes32 merchant = merchants[who % 2];
        amount = bound(amount, 1, 1e20);
        if (native) {
            vm.deal(address(this), amount);
            ESCROW.fundFloat{value: amount}(merchant, NATIVE, amount);
        } else {
            DOLLAR.mint(address(this), amount);
            DOLLAR.approve(address(ESCROW), amount);
            ESCROW.fundFloat(merchant, address(DOLLAR), amount);
        }
        float[merchant][native ? NATIVE : address(DOLLAR)] += amount;
    }

    function withdraw(uint256 who, uint256 amount, bool native) external onTime {
        (bytes32 merchant, address asset) = (merchants[who % 2], native ? NATIVE : address(DOLLAR));
        amount = bound(amount, 1, 1e20);
        try ESCROW.withdrawFloat(merchant, asset, amount, address(0x7777)) {
            float[merchant][asset] -= amount;
        } catch {}
    }

    function deposit(uint256 who, uint256 amount, bool multi, uint256 dates) external onTime {
        ReturnAuthorization memory auth = _auth(who, amount, multi, dates);
        bytes memory signature = _sign(_keys[who % 3], auth);
        ESCROW.deposit(auth, signature);
        _remember(auth, signature);
    }

    function swap(uint256 who, uint256 amount, bool multi, bool native, bool refusing) external onTime {
        ReturnAuthorization memory auth = _auth(who, amount, multi, 0);
        (auth.remedy, auth.asset) = (uint8(Remedy.CryptoRefund), native ? NATIVE : address(DOLLAR));
        auth.refund = bound(amount, 1, 1e20);
        if (refusing && native) auth.recipient = address(REFUSING);
        bytes memory signature = _sign(_keys[who % 3], auth);
        try ESCROW.swapRefund(auth, signature, auth.line) {
            ++payouts;
            float[auth.merchant][auth.asset] -= auth.refund;
            if (auth.recipient == address(REFUSING)) claims += auth.refund;
            else pushed[auth.asset] += auth.refund;
            _remember(auth, signature);
        } catch {}
    }

    /// @dev Sends something that was done before once more, under the same payout id and under another.
    function replay(uint256 which, bool newPayout) external onTime {
        if (_auths.length == 0) return;
        which = which % _auths.length;
        ReturnAuthorization memory auth = _auths[which];
        if (auth.remedy == uint8(Remedy.CryptoRefund)) {
            bytes32 payoutId = newPayout ? keccak256(abi.encode(auth.line, ++_swaps)) : auth.line;
            try ESCROW.swapRefund(auth, _signatures[which], payoutId) {
                ++doubles;
            } catch {}
        } else {
            try ESCROW.deposit(auth, _signatures[which]) {
                ++doubles;
            } catch {}
        }
    }

    function commit(uint256 which) external onTime {
        if (lines.length > 0) ESCROW.commit(lines[which % lines.length]);
    }

    function settle(uint256 which) external onTime {
        if (lines.length > 0) ESCROW.settle(lines[which % lines.length]);
    }

    function burn(uint256 which) external onTime {
        if (lines.length > 0) ESCROW.burn(lines[which % lines.length]);
    }

    function release(uint256 which) external onTime {
        if (lines.length > 0) ESCROW.release(lines[which % lines.length]);
    }

    function reclaim(uint256 which) external onTime {
        if (lines.length == 0) return;
        bytes32 line = lines[which % lines.length];
        vm.prank(ESCROW.holdOf(line).depositor);
        ESCROW.reclaim(line);
    }

    function claim() external onTime {
        REFUSING.setOpen(true);
        try REFUSING.fetch(ESCROW, NATIVE) {
            claims = 0;
        } catch {}
        REFUSING.setOpen(false);
    }

    function pauseAndBack(uint256 dice) external onTime {
        if (dice % 4 == 0) ESCROW.pause();
        else ESCROW.unpause();
    }

    function count() external view returns (uint256) {
        return lines.length;
    }

    function authOf(uint256 index) external view returns (ReturnAuthorization memory) {
        return _auths[index];
    }

    modifier onTime() {
        vm.warp(_clock);
        _;
    }

    function _auth(uint256 who, uint256 amount, bool multi, uint256 dates)
        private
        returns (ReturnAuthorization memory auth)
    {
        auth.line = bytes32(++_swaps + 1 << 128);
        auth.merchant = merchants[(who >> 8) % 2];
        auth.holder = vm.addr(_keys[who % 3]);
        auth.recipient = auth.holder;
        auth.deadline = uint48(_clock);
        auth.reclaimAfter = uint48(_clock + 1 + dates % 5 days);
        auth.commitUntil = auth.reclaimAfter + uint48((dates >> 64) % 5 days);
        (auth.token, auth.tokenId, auth.amount) = (address(NFT), uint256(auth.line), 1);
        if (multi) {
            (auth.token, auth.tokenId, auth.amount) = (address(MULTI), TOKEN_1155, bound(amount, 1, 1e30));
            MULTI.mint(auth.holder, TOKEN_1155, auth.amount);
        } else {
            NFT.mint(auth.holder, auth.tokenId);
        }
    }

    function _sign(uint256 key, ReturnAuthorization memory auth) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, ESCROW.digestOf(auth));
        return abi.encodePacked(r, s, v);
    }

    function _remember(ReturnAuthorization memory auth, bytes memory signature) private {
        lines.push(auth.line);
        _auths.push(auth);
        _signatures.push(signature);
    }
}
