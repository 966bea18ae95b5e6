// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReturnEscrow} from "./IReturnEscrow.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

/// @title Roles that take two people to change
/// @notice One admin proposes, another confirms. A single stolen admin key can therefore appoint nobody, and a lost
/// one can be replaced as long as two others are left.
abstract contract TwoPersonAccess is IReturnEscrow, AccessControl {
    /// @notice Moves tokens and refunds that holders have signed for. A hot key.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    /// @notice Pauses and unpauses.
    bytes32 public constant GUARDIAN_ROLE = keccak256("GUARDIAN_ROLE");
    /// @notice Withdraws free float.
    bytes32 public constant TREASURER_ROLE = keccak256("TREASURER_ROLE");

    mapping(bytes32 change => address proposer) private _proposals;
    uint256 private _admins;

    /// @notice Sets the first people; nobody may be missing, and the admins are two.
    constructor(address adminA, address adminB, address operator, address guardian, address treasurer) {
        if (adminA == adminB) revert ReturnEscrowSamePerson(adminA);
        _appoint(DEFAULT_ADMIN_ROLE, adminA);
        _appoint(DEFAULT_ADMIN_ROLE, adminB);
        _appoint(OPERATOR_ROLE, operator);
        _appoint(GUARDIAN_ROLE, guardian);
        _appoint(TREASURER_ROLE, treasurer);
    }

    /// @notice First half of a role change, by an admin. Proposing again replaces the proposer.
    /// @param role Role to grant or revoke.
    /// @param account Whose role; not zero.
    /// @param grant True to grant, false to revoke.
    function proposeRole(bytes32 role, address account, bool grant) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (account == address(0)) revert ReturnEscrowZeroAddress();
        _proposals[_change(role, account, grant)] = msg.sender;
        emit RoleProposed(role, account, grant, msg.sender);
    }

    /// @notice Second half, by another admin. Emits RoleGranted or RoleRevoked if the change changes something.
    /// @dev The proposer must still be an admin: a removed admin leaves no loaded proposals behind.
    function confirmRole(bytes32 role, address account, bool grant) external onlyRole(DEFAULT_ADMIN_ROLE) {
        bytes32 change = _change(role, account, grant);
        address proposer = _proposals[change];
        if (!hasRole(DEFAULT_ADMIN_ROLE, proposer)) revert ReturnEscrowNotProposed(role, account, grant);
        if (proposer == msg.sender) revert ReturnEscrowSamePerson(msg.sender);
        delete _proposals[change];
        if (grant) _grantRole(role, account);
        else _revokeRole(role, account);
    }

    /// @notice Takes a proposal off the table; any admin may.
    function cancelRoleProposal(bytes32 role, address account, bool grant) external onlyRole(DEFAULT_ADMIN_ROLE) {
        bytes32 change = _change(role, account, grant);
        if (_proposals[change] == address(0)) revert ReturnEscrowNotProposed(role, account, grant);
        delete _proposals[change];
        emit RoleProposalCanceled(role, account, grant, msg.sender);
    }

    /// @notice Who proposed a change, zero if nobody did.
    function proposerOf(bytes32 role, address account, bool grant) external view returns (address) {
        return _proposals[_change(role, account, grant)];
    }

    /// @notice Refused: one person must not change roles.
    function grantRole(bytes32, address) public pure override {
        revert ReturnEscrowTwoPeopleNeeded();
    }

    /// @notice Refused: one person must not change roles.
    function revokeRole(bytes32, address) public pure override {
        revert ReturnEscrowTwoPeopleNeeded();
    }

    /// @dev Counts admins, since AccessControl cannot.
    function _grantRole(bytes32 role, address account) internal override returns (bool granted) {
        granted = super._grantRole(role, account);
        if (granted && role == DEFAULT_ADMIN_ROLE) _admins++;
    }

    /// @dev Every way to lose a role ends here, also renouncing: with one admin left no role could change any more.
    function _revokeRole(bytes32 role, address account) internal override returns (bool revoked) {
        revoked = super._revokeRole(role, account);
        if (revoked && role == DEFAULT_ADMIN_ROLE && --_admins < 2) revert ReturnEscrowTooFewAdmins(_admins);
    }

    function _appoint(bytes32 role, address account) private {
        if (account == address(0)) revert ReturnEscrowZeroAddress();
        _grantRole(role, account);
    }

    function _change(bytes32 role, address account, bool grant) private pure returns (bytes32) {
        return keccak256(abi.encode(role, account, grant));
    }
}
