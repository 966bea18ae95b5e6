// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {AccessControlEnumerable} from "@openzeppelin/contracts/access/extensions/AccessControlEnumerable.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";

/// @title Roles, of which every change takes two people, and the pause
/// @notice One admin proposes a change, another confirms it within a week. A single stolen admin key can therefore
/// appoint nobody, raise no limit and introduce no vault; a lost one can be replaced as long as two others are left.
abstract contract DeskAccess is AccessControlEnumerable, Pausable {
    /// @notice Moves tokens and refunds that holders have signed for. A hot key.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    /// @notice Signs, as a second person, what is above the operator's limits. Never an operator as well.
    bytes32 public constant APPROVER_ROLE = keccak256("APPROVER_ROLE");
    /// @notice Pauses and unpauses.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    /// @notice Withdraws free float.
    bytes32 public constant TREASURER_ROLE = keccak256("TREASURER_ROLE");
    /// @notice For how long a proposed change can be confirmed.
    uint256 public constant PROPOSAL_LIFETIME = 7 days;

    /// @notice The first people. Nobody may be missing; the admins are two, operator and approver are two.
    struct People {
        address adminA;
        address adminB;
        address operator;
        address approver;
        address guardian;
        address treasurer;
    }

    struct Proposal {
        address proposer;
        uint48 expires;
    }

    mapping(bytes32 change => Proposal) private _proposals;
    /// @dev Has the operator's role, and nothing is paused: one read for every call, at the price of a loop in {pause}.
    mapping(address operator => bool) private _onDuty;

    /// @notice An admin asked for a change; a second admin has to confirm it before `expires` (Unix seconds) is over.
    event ChangeProposed(bytes32 indexed change, address indexed proposer, bytes call, uint48 expires);
    /// @notice A second admin confirmed a change, and it is in force.
    event ChangeConfirmed(bytes32 indexed change, address indexed confirmer);
    /// @notice An admin took a proposed change off the table.
    event ChangeDropped(bytes32 indexed change, address indexed dropper);

    /// @notice An address that must be given is zero.
    error DeskZeroAddress();
    /// @notice Two people are needed, or two duties apart, and this is one person.
    error DeskSamePerson(address account);
    /// @notice This function is run by {confirm} only, after a proposal by another admin.
    error DeskTwoPeopleNeeded();
    /// @notice Nobody who is still an admin has proposed this change.
    error DeskNotProposed(bytes32 change);
    /// @notice The proposal's last second is over.
    error DeskProposalExpired(bytes32 change, uint48 expires);
    /// @notice The call is none of the changes that take two people.
    error DeskUnknownChange(bytes4 selector);
    /// @notice Two admins are the least with whom anything can still change.
    error DeskTooFewAdmins(uint256 remaining);

    /// @dev The body of every change: only {confirm} gets here, by calling this contract itself.
    modifier byTwoPeople() {
        if (msg.sender != address(this)) revert DeskTwoPeopleNeeded();
        _;
    }

    constructor(People memory people) {
        if (people.adminA == people.adminB) revert DeskSamePerson(people.adminA);
        _appoint(DEFAULT_ADMIN_ROLE, people.adminA);
        _appoint(DEFAULT_ADMIN_ROLE, people.adminB);
        _appoint(OPERATOR_ROLE, people.operator);
        _appoint(APPROVER_ROLE, people.approver);
        _appoint(GUARDIAN_ROLE, people.guardian);
        _appoint(TREASURER_ROLE, people.treasurer);
    }

    /// @notice First half of a change, by an admin. Proposing again replaces proposer and date.
    /// @param call Calldata of a function of this contract that takes two people.
    function propose(bytes calldata call) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (!_takesTwoPeople(bytes4(call))) revert DeskUnknownChange(bytes4(call));
        bytes32 change = keccak256(call);
        uint48 expires = uint48(block.timestamp + PROPOSAL_LIFETIME);
        _proposals[change] = Proposal(msg.sender, expires);
        emit ChangeProposed(change, msg.sender, call, expires);
    }

    /// @notice Second half, by another admin: carries the change out.
    /// @dev The proposer must still be an admin: a removed admin leaves no loaded proposals behind.
    /// @param call The same calldata.
    function confirm(bytes calldata call) external onlyRole(DEFAULT_ADMIN_ROLE) {
        bytes32 change = keccak256(call);
        Proposal memory found = _proposals[change];
        if (!hasRole(DEFAULT_ADMIN_ROLE, found.proposer)) revert DeskNotProposed(change);
        if (found.proposer == msg.sender) revert DeskSamePerson(msg.sender);
        if (block.timestamp > found.expires) revert DeskProposalExpired(change, found.expires);
        delete _proposals[change];
        emit ChangeConfirmed(change, msg.sender);
        // No change returns anything; a failing one reverts with its own reason.
        // slither-disable-next-line unused-return
        Address.functionCall(address(this), call);
    }

    /// @notice Takes a proposal off the table; any admin may.
    function drop(bytes32 change) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (_proposals[change].proposer == address(0)) revert DeskNotProposed(change);
        delete _proposals[change];
        emit ChangeDropped(change, msg.sender);
    }

    /// @notice Stops whatever operators do; never reclaim, claim or cancel, which are their owners' own.
    function pause() external onlyRole(GUARDIAN_ROLE) {
        _pause();
        _setDuty(false);
    }

    /// @notice Ends a pause.
    function unpause() external onlyRole(GUARDIAN_ROLE) {
        _unpause();
        _setDuty(true);
    }

    /// @notice Who proposed a change (the hash of its calldata) and until when it can be confirmed; zero if nobody did.
    function proposalOf(bytes32 change) external view returns (address proposer, uint48 expires) {
        return (_proposals[change].proposer, _proposals[change].expires);
    }

    /// @notice Grants a role; takes two people.
    function grantRole(bytes32 role, address account) public override(AccessControl, IAccessControl) byTwoPeople {
        _appoint(role, account);
    }

    /// @notice Revokes a role; takes two people.
    function revokeRole(bytes32 role, address account) public override(AccessControl, IAccessControl) byTwoPeople {
        _revokeRole(role, account);
    }

    /// @dev The functions that {confirm} may run.
    function _takesTwoPeople(bytes4 selector) internal pure virtual returns (bool) {
        return selector == this.grantRole.selector || selector == this.revokeRole.selector;
    }

    /// @dev Reverts unless the caller is an operator and nothing is paused.
    function _requireOnDuty() internal view {
        if (_onDuty[msg.sender]) return;
        _checkRole(OPERATOR_ROLE);
        revert EnforcedPause();
    }

    /// @dev Who moves refunds must not be able to approve them.
    function _grantRole(bytes32 role, address account) internal override returns (bool granted) {
        granted = super._grantRole(role, account);
        if (hasRole(OPERATOR_ROLE, account) && hasRole(APPROVER_ROLE, account)) revert DeskSamePerson(account);
        if (role == OPERATOR_ROLE) _onDuty[account] = !paused();
    }

    /// @dev Every way to lose a role ends here, also renouncing: with one admin left nothing could change any more.
    function _revokeRole(bytes32 role, address account) internal override returns (bool revoked) {
        revoked = super._revokeRole(role, account);
        if (role == OPERATOR_ROLE) delete _onDuty[account];
        if (role != DEFAULT_ADMIN_ROLE || !revoked) return revoked;
        uint256 left = getRoleMemberCount(DEFAULT_ADMIN_ROLE);
        if (left < 2) revert DeskTooFewAdmins(left);
    }

    function _setDuty(bool onDuty) private {
        for (uint256 i = getRoleMemberCount(OPERATOR_ROLE); i > 0; --i) {
            _onDuty[getRoleMember(OPERATOR_ROLE, i - 1)] = onDuty;
        }
    }

    function _appoint(bytes32 role, address account) private {
        if (account == address(0)) revert DeskZeroAddress();
        _grantRole(role, account);
    }
}
