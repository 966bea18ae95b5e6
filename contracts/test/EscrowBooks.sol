// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerchantFloat} from "../src/MerchantFloat.sol";
import {Operated} from "../src/Operated.sol";
import {Remedy, ReturnAuthorization} from "../src/ReturnAuthorization.sol";
import {ReturnEscrow, State} from "../src/ReturnEscrow.sol";
import {Test, Vm} from "./Test.sol";
import {Plain1155, PlainNFT} from "./mocks/HonestTokens.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @notice Books that are kept from the escrow's events alone, and the rules that every event has to obey. What
/// holders and approvers really signed is noted by whoever plays them.
abstract contract EscrowBooks is Test {
    address public constant NATIVE = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;
    address public constant DEAD = 0x000000000000000000000000000000000000dEaD;
    uint256 public constant TOKEN_1155 = 3;
    /// @dev The next event is of another item of the batch.
    bytes32 internal constant BOUNDARY = keccak256("ItemEnds()");

    ReturnEscrow public immutable ESCROW;
    PlainNFT public immutable NFT = new PlainNFT();
    PlainNFT public immutable SPARE = new PlainNFT();
    Plain1155 public immutable MULTI = new Plain1155();

    struct Limits {
        uint8 unit;
        uint256 single;
        uint256 daily;
    }

    struct Payment {
        uint256 time;
        uint256 amount;
    }

    /// @notice The first rule that was seen broken; empty as long as none was.
    string public broken;
    uint256 public clock;
    bool public paused;
    /// @notice How often each kind of event was booked, to see that a run did something.
    mapping(bytes32 kind => uint256) public booked;

    bytes32[] public ids;
    mapping(bytes32 id => State) public state;
    /// @notice Who should own the line's token now.
    mapping(bytes32 id => address) public place;
    mapping(bytes32 id => uint256) public payments;
    mapping(bytes32 id => bool) public approved;
    mapping(bytes32 refund => bool) internal approvalSigned;
    mapping(bytes32 id => ReturnAuthorization) internal authSigned;

    mapping(address vault => mapping(address asset => uint256)) public float;
    mapping(address vault => mapping(address asset => Limits)) public limits;
    mapping(address vault => mapping(address asset => Payment[])) private _alone;
    mapping(address asset => mapping(address who => uint256)) public claims;
    mapping(address asset => mapping(address who => uint256)) public received;
    /// @notice How many of the ERC-1155 token went to a vault or the dead address, and how many are held.
    mapping(address who => uint256) public stock;
    /// @notice How many ERC-721 tokens are held.
    uint256 public heldNfts;

    /// @dev Who made the call that is being booked.
    address internal actor;

    constructor(ReturnEscrow escrow) {
        ESCROW = escrow;
    }

    function count() external view returns (uint256) {
        return ids.length;
    }

    function authOf(bytes32 id) external view returns (ReturnAuthorization memory) {
        return authSigned[id];
    }

    /// @notice The date after which the depositor may take a held token back, as far as the events tell.
    function dateOf(bytes32 id) public view returns (uint256) {
        return _dateOf(authSigned[id], state[id]);
    }

    function _dateOf(ReturnAuthorization memory auth, State was) internal pure returns (uint256) {
        return was == State.Committed ? auth.commitUntil : auth.reclaimAfter;
    }

    function _must(bool fine, string memory rule) internal {
        if (!fine && bytes(broken).length == 0) broken = rule;
    }

    /// @dev Foundry records what a reverted item logged, too: an item that failed is left out.
    function _book(Vm.Log[] memory logs) internal {
        uint256 start;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != BOUNDARY) continue;
            _bookItem(logs, start, i);
            start = i + 1;
        }
        _bookItem(logs, start, logs.length);
    }

    function _bookItem(Vm.Log[] memory logs, uint256 start, uint256 end) private {
        for (uint256 i = start; i < end; ++i) {
            if (logs[i].topics[0] != Operated.ItemFailed.selector) continue;
            ++booked[Operated.ItemFailed.selector];
            return;
        }
        for (uint256 i = start; i < end; ++i) {
            if (logs[i].emitter != address(ESCROW)) continue;
            ++booked[logs[i].topics[0]];
            if (!_bookToken(logs[i])) _bookMoney(logs[i]);
        }
    }

    function _bookToken(Vm.Log memory log) private returns (bool done) {
        (bytes32 kind, bytes32 id) = (log.topics[0], log.topics.length > 1 ? log.topics[1] : bytes32(0));
        done = true;
        if (kind == ReturnEscrow.Deposited.selector) _deposited(id, abi.decode(log.data, (ReturnAuthorization)));
        else if (kind == ReturnEscrow.Committed.selector) _committed(id, abi.decode(log.data, (uint256)));
        else if (kind == ReturnEscrow.Settled.selector) _ended(id, State.Settled, authSigned[id].vault);
        else if (kind == ReturnEscrow.Burned.selector) _ended(id, State.Burned, DEAD);
        else if (kind == ReturnEscrow.Released.selector) _ended(id, State.Released, authSigned[id].holder);
        else if (kind == ReturnEscrow.Reclaimed.selector) _reclaimed(id);
        else if (kind == ReturnEscrow.Swapped.selector) _swapped(id, log);
        else if (kind == ReturnEscrow.Kept.selector) _kept(id);
        else if (kind == ReturnEscrow.Replaced.selector) _replaced(id);
        else if (kind == ReturnEscrow.AuthorizationCanceled.selector) _enter(id, State.Canceled);
        else done = false;
    }

    function _bookMoney(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        if (kind == MerchantFloat.Refunded.selector) _refunded(log);
        if (kind == MerchantFloat.RefundApproved.selector) approved[log.topics[1]] = true;
        if (kind == MerchantFloat.ClaimReserved.selector) _reserved(_address(log.topics[2]), log.data);
        if (kind == MerchantFloat.Claimed.selector) {
            _claimed(_address(log.topics[1]), _address(log.topics[2]), log.data);
        }
        if (kind == MerchantFloat.LimitsSet.selector) {
            _limited(_address(log.topics[1]), _address(log.topics[2]), log.data);
        }
        if (kind == MerchantFloat.FloatFunded.selector || kind == MerchantFloat.FloatWithdrawn.selector) {
            _floated(_address(log.topics[1]), _address(log.topics[2]), log, kind == MerchantFloat.FloatFunded.selector);
        }
        if (kind == Pausable.Paused.selector) paused = true;
        if (kind == Pausable.Unpaused.selector) paused = false;
    }

    function _deposited(bytes32 id, ReturnAuthorization memory auth) private {
        _onDuty();
        _must(_same(abi.encode(auth), abi.encode(authSigned[id])), "a deposit is what its holder signed");
        _must(clock <= auth.deadline, "a deposit is in time");
        _enter(id, State.Held);
        place[id] = address(ESCROW);
        if (auth.token == address(NFT)) ++heldNfts;
        else stock[address(ESCROW)] += auth.amount;
    }

    function _committed(bytes32 id, uint256 date) private {
        _onDuty();
        ReturnAuthorization memory auth = authSigned[id];
        _must(state[id] == State.Held && _outside(auth), "only a hold that is paid outside is committed");
        _must(clock <= auth.reclaimAfter, "a commit is in time");
        _must(date == auth.commitUntil, "the second date is the one that was signed");
        bool small = auth.refund <= limits[auth.vault][auth.asset].single << limits[auth.vault][auth.asset].unit;
        bool signed = approvalSigned[keccak256(abi.encode(_due(auth)))];
        _must(small || (approved[id] && signed), "no commit above the single limit without approval");
        state[id] = State.Committed;
    }

    function _ended(bytes32 id, State end, address to) private {
        if (end != State.Reclaimed) _onDuty();
        (State was, ReturnAuthorization memory auth) = (state[id], authSigned[id]);
        _must(was == State.Held || was == State.Committed, "a hold ends once");
        if (end == State.Settled || end == State.Burned) {
            _must(was == State.Committed || !_outside(auth), "what is paid outside is committed before it ends");
        }
        state[id] = end;
        place[id] = to;
        unchecked {
            if (auth.token == address(NFT)) --heldNfts;
            else stock[address(ESCROW)] -= auth.amount;
        }
        if (auth.token == address(MULTI) && to != auth.holder) stock[to] += auth.amount;
    }

    function _reclaimed(bytes32 id) private {
        _must(actor == authSigned[id].holder, "nobody but the depositor reclaims");
        _must(clock > dateOf(id), "nobody reclaims before the date");
        _ended(id, State.Reclaimed, authSigned[id].holder);
    }

    function _swapped(bytes32 id, Vm.Log memory log) private {
        _onDuty();
        ReturnAuthorization memory auth = authSigned[id];
        bytes memory said = abi.encode(
            auth.vault, auth.holder, auth.token, auth.tokenId, auth.amount, auth.recipient, auth.asset, auth.refund
        );
        _must(_same(abi.encodePacked(log.topics[2], log.data), said), "a swap is what its holder signed");
        _must(clock <= auth.deadline, "a swap is in time");
        _enter(id, State.Settled);
        place[id] = auth.vault;
        if (auth.token == address(MULTI)) stock[auth.vault] += auth.amount;
        if (auth.remedy == uint8(Remedy.Replacement)) _replaced(id);
        else _paid(_due(auth));
    }

    function _kept(bytes32 id) private {
        _must(authSigned[id].remedy == uint8(Remedy.PartialRefund), "a kept token is what its holder signed");
        place[id] = authSigned[id].holder;
        _enter(id, State.Settled);
    }

    function _replaced(bytes32 id) private {
        _onDuty();
        ReturnAuthorization memory auth = authSigned[id];
        _must(auth.remedy == uint8(Remedy.Replacement), "a replacement is what its holder signed");
        bool signed = approvalSigned[keccak256(abi.encode(_due(auth)))];
        _must(approved[id] && signed, "no replacement without approval");
        _must(++payments[id] == 1, "one replacement per authorization");
        _must(SPARE.ownerOf(auth.refund) == auth.recipient, "the recipient has the replacement");
    }

    function _refunded(Vm.Log memory log) private {
        _onDuty();
        MerchantFloat.Refund memory refund;
        (refund.id, refund.vault, refund.recipient) = (log.topics[1], _address(log.topics[2]), _address(log.topics[3]));
        (refund.asset, refund.amount) = abi.decode(log.data, (address, uint256));
        if (uint256(refund.id) >> 128 == 0) {
            _enter(refund.id, State.Paid);
        } else {
            bytes memory signed = abi.encode(_due(authSigned[refund.id]));
            _must(_same(abi.encode(refund), signed), "a refund is what its holder signed");
            State now_ = state[refund.id];
            _must(now_ == State.Settled || now_ == State.Burned, "a refund is paid against the token");
        }
        _paid(refund);
    }

    function _paid(MerchantFloat.Refund memory refund) private {
        _must(++payments[refund.id] == 1, "one payment per id");
        unchecked {
            float[refund.vault][refund.asset] -= refund.amount;
            received[refund.asset][refund.recipient] += refund.amount; // of a claim, it was taken off before
        }
        if (approved[refund.id]) {
            _must(approvalSigned[keccak256(abi.encode(refund))], "an approval is what its approver signed");
        } else {
            _paidAlone(refund.amount, limits[refund.vault][refund.asset], _alone[refund.vault][refund.asset]);
        }
    }

    function _paidAlone(uint256 amount, Limits memory limit, Payment[] storage past) private {
        _must(amount <= limit.single << limit.unit, "no refund above the single limit without approval");
        past.push(Payment(clock, amount));
        uint256 sum;
        for (uint256 i = past.length; i > 0 && past[i - 1].time + 1 days > clock; --i) {
            sum += past[i - 1].amount;
        }
        _must(sum <= 2 * limit.daily << limit.unit, "one person pays at most twice the daily limit in 24 hours");
    }

    function _reserved(address who, bytes memory data) private {
        (address asset, uint256 amount) = abi.decode(data, (address, uint256));
        claims[asset][who] += amount;
        unchecked {
            received[asset][who] -= amount; // the refund's own event follows
        }
    }

    function _claimed(address who, address asset, bytes memory data) private {
        (uint256 amount, address to) = abi.decode(data, (uint256, address));
        _must(actor == who, "nobody but its owner fetches a claim");
        _must(claims[asset][who] == amount, "a claim is fetched whole and once");
        delete claims[asset][who];
        received[asset][to] += amount;
    }

    function _limited(address vault, address asset, bytes memory data) private {
        (uint8 unit, uint256 single, uint256 daily) = abi.decode(data, (uint8, uint256, uint256));
        limits[vault][asset] = Limits(unit, single, daily);
        delete _alone[vault][asset];
    }

    function _floated(address vault, address asset, Vm.Log memory log, bool funded) private {
        uint256 amount = funded ? 0 : abi.decode(log.data, (uint256));
        if (funded) (amount,) = abi.decode(log.data, (uint256, address));
        unchecked {
            if (funded) {
                float[vault][asset] += amount;
            } else {
                (float[vault][asset], received[asset][vault]) =
                (float[vault][asset] - amount, received[asset][vault] + amount);
            }
        }
    }

    function _enter(bytes32 id, State to) private {
        _must(state[id] == State.None, "an id is used once");
        state[id] = to;
        ids.push(id);
    }

    function _onDuty() private {
        _must(!paused, "operators do nothing during a pause");
    }

    function _outside(ReturnAuthorization memory auth) internal pure returns (bool) {
        return auth.remedy == uint8(Remedy.FiatRefund) || auth.remedy == uint8(Remedy.StoreCredit);
    }

    function _due(ReturnAuthorization memory auth) internal pure returns (MerchantFloat.Refund memory) {
        return MerchantFloat.Refund(auth.line, auth.vault, auth.asset, auth.refund, auth.recipient);
    }

    function _same(bytes memory a, bytes memory b) internal pure returns (bool) {
        return keccak256(a) == keccak256(b);
    }

    function _address(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
