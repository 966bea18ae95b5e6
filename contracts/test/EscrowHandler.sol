// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {TestDollar} from "../src/TestDollar.sol";
import {EscrowBooks} from "./EscrowBooks.sol";
import {ContractWallet, RefusingRecipient} from "./mocks/Accounts.sol";

/// @notice Between two items of a batch: a permit that only says where one item ends.
contract Boundary {
    event ItemEnds();

    function permit(address, uint256, uint256, bytes calldata) external {
        emit ItemEnds();
    }
}

/// @notice Acts for everybody at random: honest and dishonest operators, holders, approvers, strangers, time itself.
contract EscrowHandler is EscrowBooks {
    address public constant ADMIN_A = address(0xA1);
    address public constant ADMIN_B = address(0xA2);
    address public constant OPERATOR = address(0xB1);
    address public constant GUARDIAN = address(0xB2);
    address public constant TREASURER = address(0xB3);
    address public constant HOME = address(0xE0E0E0);
    address private constant EURO = address(978);
    uint256 private constant APPROVER_KEY = 0xA99;
    uint256 private constant THIEF_KEY = 0xBAD;

    TestDollar public immutable DOLLAR;
    RefusingRecipient public immutable REFUSING = new RefusingRecipient();
    /// @dev A holder with code: takes ERC-721 only, and no coin.
    ContractWallet public immutable WALLET;
    Boundary private immutable BOUNDARY_TOKEN = new Boundary();
    bytes32 private immutable DOMAIN;

    address[2] public vaults = [address(0xC1), address(0xC2)];
    uint256[3] private _keys = [uint256(0xA11CE), 0xB0B, 0xCAB];
    ReturnAuthorization[] private _auths;
    bytes[] private _signatures;
    uint256 private _serial;

    constructor(ReturnEscrow escrow, TestDollar dollar, uint256 start) EscrowBooks(escrow) {
        (DOLLAR, clock, WALLET) = (dollar, start, new ContractWallet(vm.addr(_keys[0])));
        (, string memory name, string memory version, uint256 chainId, address target,,) = escrow.eip712Domain();
        bytes32 kind = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        DOMAIN = keccak256(abi.encode(kind, keccak256(bytes(name)), keccak256(bytes(version)), chainId, target));
        for (uint256 i = 0; i < 4; ++i) {
            vm.startPrank(holderOf(i));
            NFT.setApprovalForAll(address(escrow), true);
            MULTI.setApprovalForAll(address(escrow), true);
            vm.stopPrank();
        }
        for (uint256 i = 0; i < 2; ++i) {
            _open(vaults[i], NATIVE);
            _open(vaults[i], address(dollar));
            _open(vaults[i], EURO);
            vm.prank(vaults[i]);
            SPARE.setApprovalForAll(address(escrow), true);
        }
    }

    /// @dev At the time that has come; whatever the escrow logs is booked.
    modifier onTime() {
        vm.warp(clock);
        _;
    }

    function passTime(uint256 seconds_) external {
        clock += seconds_ % 4 == 0 ? bound(seconds_, 1, 3 days) : bound(seconds_, 1, 6 hours);
    }

    function fund(uint256 who, uint256 amount, bool native) external onTime {
        _fund(vaults[who % 2], native ? bound(amount, 1, 10 ether) : bound(amount, 1, 1000e6), native);
    }

    function withdraw(uint256 who, uint256 part, bool native) external onTime {
        (address vault, address asset) = (vaults[who % 2], native ? NATIVE : address(DOLLAR));
        uint256 amount = bound(part, 1, float[vault][asset] + 2);
        _call(TREASURER, abi.encodeCall(ESCROW.withdrawFloat, (vault, asset, amount)), 0);
    }

    function deposit(uint256 seed) external onTime {
        (ReturnAuthorization memory auth, bytes memory signature) = _sign(seed, uint8((seed >> 24) % 4));
        bool ok = _call(OPERATOR, abi.encodeCall(ESCROW.deposit, (auth, signature)), 0);
        _must(ok == !paused, "what a holder signed is deposited, unless paused");
    }

    function swap(uint256 seed) external onTime {
        uint8[3] memory remedies = [uint8(Remedy.CryptoRefund), uint8(Remedy.Replacement), uint8(Remedy.PartialRefund)];
        (ReturnAuthorization memory auth, bytes memory signature) = _sign(seed, remedies[(seed >> 24) % 3]);
        _call(OPERATOR, abi.encodeCall(ESCROW.swap, (auth, signature, _approval(seed, _due(auth)))), 0);
    }

    function commit(uint256 which, uint256 seed) external onTime {
        if (_auths.length == 0) return;
        ReturnAuthorization memory auth = _pickHeld(which, true);
        _call(OPERATOR, abi.encodeCall(ESCROW.commit, (auth, _approval(seed, _due(auth)))), 0);
    }

    /// @dev Ends a hold in one of the ways that an operator has.
    function end(uint256 which, uint256 seed) external onTime {
        if (_auths.length > 0) _call(OPERATOR, _ending(_pickHeld(which, false), seed), 0);
    }

    function payOut(uint256 seed) external onTime {
        _call(OPERATOR, _payment(seed), 0);
    }

    /// @dev A greedy operator, alone: the single limit again and again, far beyond two days' money.
    function drain(uint256 who, bool native) external onTime {
        (address vault, address asset) = (vaults[who % 2], native ? NATIVE : address(DOLLAR));
        MerchantFloat.Refund memory refund;
        (refund.vault, refund.asset, refund.recipient) = (vault, asset, holderOf(who >> 1));
        refund.amount = limits[vault][asset].single << limits[vault][asset].unit;
        _fund(vault, refund.amount * 12, native);
        for (uint256 i = 0; i < 12; ++i) {
            refund.id = bytes32(++_serial);
            _call(OPERATOR, abi.encodeCall(ESCROW.payOut, (refund, "")), 0);
        }
    }

    /// @dev Good and bad items side by side; the first is good.
    function batch(uint256 seed) external onTime {
        (ReturnAuthorization memory auth, bytes memory signature) = _sign(seed, uint8((seed >> 24) % 4));
        bytes[] memory calls = new bytes[](2 * (2 + seed % 4));
        calls[0] = abi.encodeCall(ESCROW.deposit, (auth, signature));
        calls[1] = abi.encodeCall(ESCROW.tryPermit, (address(BOUNDARY_TOKEN), 0, 0, ""));
        for (uint256 i = 2; i < calls.length; i += 2) {
            seed = uint256(keccak256(abi.encode(seed)));
            (calls[i], calls[i + 1]) = (_item(seed), calls[1]);
        }
        bool ok = _call(OPERATOR, abi.encodeCall(ESCROW.batch, (calls, 1_000_000)), 0);
        _must(ok == !paused, "a batch never fails for one of its items");
        _must(paused || state[auth.line] != State.None, "a good item is done whatever the others are");
    }

    /// @dev Sends something that was signed before once more, or for the first time.
    function replay(uint256 which, uint256 seed) external onTime {
        if (_auths.length > 0) _call(OPERATOR, _again(which, seed), 0);
    }

    /// @dev An operator with a stolen mind: another authorization for a held token, or a deposit nobody signed.
    function forge(uint256 which, uint256 seed) external onTime {
        if (_auths.length > 0) _call(OPERATOR, _forged(which, seed), 0);
    }

    /// @dev Without a role: operators' calls, and other people's reclaims and claims.
    function trespass(uint256 which, uint256 seed) external onTime {
        address[4] memory people = [ADMIN_A, GUARDIAN, TREASURER, vaults[0]];
        address who = people[seed % 4];
        if (seed % 5 == 0) _call(who, _payment(seed), 0);
        if (seed % 5 == 1) _call(who, abi.encodeCall(ESCROW.claim, (NATIVE, who)), 0);
        if (_auths.length == 0) return;
        if (seed % 5 == 2) _call(who, _ending(_pick(which), seed >> 8), 0);
        if (seed % 5 == 3) _call(who, abi.encodeCall(ESCROW.reclaim, (_pick(which), who)), 0);
        if (seed % 5 == 4) _call(who, abi.encodeCall(ESCROW.cancel, (_pick(which))), 0);
    }

    /// @dev Also at each of the two dates that the holder signed, and in the second after it, if that is still to come.
    function reclaim(uint256 which, uint256 dice) external onTime {
        if (_auths.length == 0) return;
        ReturnAuthorization memory auth = _pickHeld(which, false);
        State was = state[auth.line];
        uint256 date = (dice % 4 < 2 ? auth.reclaimAfter : auth.commitUntil) + dice % 2;
        if ((dice >> 2) % 4 == 0 && clock < date) clock = date;
        vm.warp(clock);
        bool due = (was == State.Held || was == State.Committed) && clock > _dateOf(auth, was);
        bool ok = _call(auth.holder, abi.encodeCall(ESCROW.reclaim, (auth, auth.holder)), 0);
        _must(ok == due, "after the date, and never before, the depositor has the token");
    }

    function cancel(uint256 which) external onTime {
        if (_auths.length == 0) return;
        ReturnAuthorization memory auth = _pick(which);
        bool unused = state[auth.line] == State.None;
        bool ok = _call(auth.holder, abi.encodeCall(ESCROW.cancel, (auth)), 0);
        _must(ok == unused, "a holder cancels what is unused, and nothing else");
    }

    function claim(bool wallet) external onTime {
        address who = wallet ? address(WALLET) : address(REFUSING);
        bool owed = claims[NATIVE][who] > 0;
        bool ok = _call(who, abi.encodeCall(ESCROW.claim, (NATIVE, HOME)), 0);
        _must(ok == owed, "a claim is there for whoever it belongs to");
    }

    function pauseAndBack(uint256 dice) external onTime {
        bytes memory call = dice % 6 == 0 ? abi.encodeCall(ESCROW.pause, ()) : abi.encodeCall(ESCROW.unpause, ());
        _call(GUARDIAN, call, 0);
    }

    function relimit(uint256 seed) external onTime {
        (address vault, bool native) = (vaults[seed % 2], (seed >> 1) % 2 == 0);
        uint40 single = uint40(native ? bound(seed >> 8, 1, 2 ether >> 40) : bound(seed >> 8, 1, 200e6 >> 6));
        (address asset, uint8 unit) = native ? (NATIVE, uint8(40)) : (address(DOLLAR), uint8(6));
        bytes memory call = abi.encodeCall(ESCROW.setLimits, (vault, asset, unit, single, single * 3));
        _call(ADMIN_A, abi.encodeCall(ESCROW.propose, (call)), 0);
        _must(_call(ADMIN_B, abi.encodeCall(ESCROW.confirm, (call)), 0), "two admins set limits");
    }

    /// @notice The customers; the last one is a contract.
    function holderOf(uint256 index) public view returns (address) {
        return index % 4 == 3 ? address(WALLET) : vm.addr(_keys[index % 4]);
    }

    function _open(address vault, address asset) private {
        MerchantFloat.Float memory found = ESCROW.floatOf(vault, asset);
        float[vault][asset] = found.balance;
        limits[vault][asset] = Limits(found.unit, found.single, found.daily);
    }

    function _fund(address vault, uint256 amount, bool native) private {
        vm.deal(OPERATOR, amount);
        DOLLAR.mint(OPERATOR, amount);
        vm.prank(OPERATOR);
        DOLLAR.approve(address(ESCROW), amount);
        address asset = native ? NATIVE : address(DOLLAR);
        bytes memory call = abi.encodeCall(ESCROW.fundFloat, (vault, asset, amount));
        _must(_call(OPERATOR, call, native ? amount : 0), "anybody may fund");
    }

    function _call(address who, bytes memory data, uint256 value) private returns (bool ok) {
        actor = who;
        vm.recordLogs();
        vm.prank(who);
        (ok,) = address(ESCROW).call{value: value}(data);
        if (ok) _book(vm.getRecordedLogs());
    }

    function _pick(uint256 which) private view returns (ReturnAuthorization memory) {
        return _auths[_index(which)];
    }

    /// @dev The next line from there on that is held (and could be committed), if one is near.
    function _pickHeld(uint256 which, bool committable) private view returns (ReturnAuthorization memory) {
        uint256 index = _index(which);
        for (uint256 i = 0; i < 32; ++i) {
            ReturnAuthorization storage auth = _auths[(index + i) % _auths.length];
            State found = state[auth.line];
            bool outside = auth.remedy == uint8(Remedy.FiatRefund) || auth.remedy == uint8(Remedy.StoreCredit);
            if (found == State.Held && (outside || !committable)) return auth;
            if (found == State.Committed && !committable) return auth;
        }
        return _auths[index];
    }

    /// @dev Every second time one of the newest four, which are likelier to be open.
    function _index(uint256 which) private view returns (uint256) {
        uint256 n = _auths.length;
        return which % 2 == 0 && n > 4 ? n - 1 - (which >> 1) % 4 : (which >> 1) % n;
    }

    function _item(uint256 seed) private returns (bytes memory) {
        if (_auths.length == 0 || seed % 5 == 0) return _payment(seed >> 8);
        uint256 which = seed >> 128;
        if (seed % 5 == 1) return _again(which, seed >> 8);
        if (seed % 5 == 2) return _forged(which, seed >> 8);
        ReturnAuthorization memory auth = _pick(which);
        if (seed % 5 == 3) return abi.encodeCall(ESCROW.commit, (auth, _approval(seed >> 8, _due(auth))));
        return _ending(auth, seed >> 8);
    }

    function _ending(ReturnAuthorization memory auth, uint256 seed) private returns (bytes memory) {
        if (seed % 4 == 0) return abi.encodeCall(ESCROW.release, (auth));
        bytes memory approval = _approval(seed, _due(auth));
        if (seed % 4 == 1) return abi.encodeCall(ESCROW.burn, (auth, approval));
        return abi.encodeCall(ESCROW.settle, (auth, approval));
    }

    /// @dev A payout under a new id, or every fourth time under an old one or a line.
    function _payment(uint256 seed) private returns (bytes memory) {
        MerchantFloat.Refund memory refund;
        refund.id = bytes32(seed % 4 == 0 ? 1 + (seed >> 8) % (_serial + 1) : uint256(++_serial));
        if (seed % 32 == 0 && _auths.length > 0) refund.id = _pick(seed >> 16).line;
        (refund.vault, refund.recipient) = (vaults[(seed >> 2) % 2], _recipient(seed, holderOf(seed >> 3)));
        (refund.asset, refund.amount) = _price(seed >> 32);
        return abi.encodeCall(ESCROW.payOut, (refund, _approval(seed, refund)));
    }

    function _again(uint256 which, uint256 seed) private returns (bytes memory) {
        uint256 index = _index(which);
        ReturnAuthorization memory auth = _auths[index];
        bytes memory signature = _signatures[index];
        if (seed % 2 == 0) return abi.encodeCall(ESCROW.deposit, (auth, signature));
        return abi.encodeCall(ESCROW.swap, (auth, signature, _approval(seed, _due(auth))));
    }

    function _forged(uint256 which, uint256 seed) private returns (bytes memory) {
        uint256 index = _index(which);
        ReturnAuthorization memory auth = _auths[index];
        bytes memory signature = seed % 2 == 0 ? _signatures[index] : _signed(THIEF_KEY, ESCROW.digestOf(auth));
        if (seed % 2 == 0) _tamper(auth, (seed >> 1) % 6);
        uint256 kind = (seed >> 8) % 4;
        if (kind == 0) return abi.encodeCall(ESCROW.deposit, (auth, signature));
        if (kind == 1) return abi.encodeCall(ESCROW.swap, (auth, signature, _approval(seed, _due(auth))));
        if (seed % 2 == 1) _tamper(auth, (seed >> 1) % 6);
        return _ending(auth, seed >> 16);
    }

    function _tamper(ReturnAuthorization memory auth, uint256 field) private view {
        if (field == 0) auth.vault = auth.vault == vaults[0] ? vaults[1] : vaults[0];
        if (field == 1) (auth.holder, auth.line) = _posing(auth.line);
        if (field == 2) (auth.tokenId, auth.token) = (_auths[0].tokenId, _auths[0].token);
        if (field == 3) auth.recipient = vm.addr(THIEF_KEY);
        if (field == 4) auth.remedy = (auth.remedy + 1) % 5;
        if (field == 5) auth.amount += 1;
        auth.commitUntil += 1; // so that it is another one in any case
    }

    function _posing(bytes32 line) private pure returns (address thief, bytes32) {
        thief = vm.addr(THIEF_KEY);
        return (thief, _line(thief, uint256(line) & type(uint128).max));
    }

    function _line(address holder, uint256 uuid) private pure returns (bytes32) {
        return bytes32(uint256(uint128(uint160(holder))) << 128 | uuid);
    }

    /// @dev A holder with a new token signs for a return of it. Kept, whatever becomes of it.
    function _sign(uint256 seed, uint8 remedy)
        private
        returns (ReturnAuthorization memory auth, bytes memory signature)
    {
        auth = _authorization(seed, remedy);
        uint256 key = auth.holder == address(WALLET) ? _keys[0] : _keys[seed % 4];
        signature = _signed(key, ESCROW.digestOf(auth));
        authSigned[auth.line] = auth;
        _auths.push(auth);
        _signatures.push(signature);
    }

    function _authorization(uint256 seed, uint8 remedy) private returns (ReturnAuthorization memory auth) {
        (auth.holder, auth.vault, auth.remedy) = (holderOf(seed), vaults[(seed >> 2) % 2], remedy);
        auth.line = _line(auth.holder, ++_serial);
        (auth.asset, auth.refund) = _outside(auth) ? (EURO, 1 + (seed >> 32) % 200_00) : _price(seed >> 32);
        auth.recipient = auth.holder;
        if (remedy == uint8(Remedy.Replacement)) {
            (auth.asset, auth.refund) = (address(SPARE), _serial);
            SPARE.mint(auth.vault, _serial);
        } else if (!_outside(auth)) {
            auth.recipient = _recipient(seed, auth.holder);
        }
        auth.deadline = uint48(clock + (seed >> 64) % 1 days);
        auth.reclaimAfter = uint48(clock + 1 + (seed >> 96) % 5 days);
        auth.commitUntil = auth.reclaimAfter + uint48((seed >> 128) % 5 days);
        _mint(auth, seed >> 160);
    }

    function _mint(ReturnAuthorization memory auth, uint256 seed) private {
        (auth.token, auth.tokenId, auth.amount) = (address(NFT), _serial, 1);
        if (seed % 3 != 0 || auth.holder == address(WALLET)) return NFT.mint(auth.holder, auth.tokenId);
        (auth.token, auth.tokenId, auth.amount) = (address(MULTI), TOKEN_1155, 1 + (seed >> 2) % 1e18);
        MULTI.mint(auth.holder, TOKEN_1155, auth.amount);
    }

    /// @dev Up to one and a half times the first single limit.
    function _price(uint256 seed) private view returns (address asset, uint256 amount) {
        if (seed % 2 == 0) return (NATIVE, 1 + (seed >> 8) % 1.5 ether);
        return (address(DOLLAR), 1 + (seed >> 8) % 150e6);
    }

    function _recipient(uint256 seed, address otherwise) private view returns (address) {
        return (seed >> 16) % 4 == 0 ? address(REFUSING) : otherwise;
    }

    /// @dev None, one that the approver really signed, one that somebody else signed in its name, or one for another
    /// amount.
    function _approval(uint256 seed, MerchantFloat.Refund memory refund) private returns (bytes memory) {
        uint256 kind = (seed >> 48) % 8;
        if (kind < 2) return "";
        bytes32 meant = keccak256(abi.encode(refund));
        if (kind == 2) ++refund.amount;
        uint48 deadline = uint48(clock + 1);
        bytes32 message = keccak256(abi.encode(ESCROW.APPROVAL_TYPEHASH(), refund, deadline));
        if (kind == 2) --refund.amount;
        if (kind > 3) approvalSigned[meant] = true;
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", DOMAIN, message));
        uint256 key = kind == 3 ? THIEF_KEY : APPROVER_KEY;
        return abi.encodePacked(vm.addr(APPROVER_KEY), deadline, _signed(key, digest));
    }

    function _signed(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }
}
