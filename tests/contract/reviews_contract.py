"""The contract of the Reviewer port, as far as rights are asked for."""

from __future__ import annotations

import pytest

from tests.contract.world import World
from ultra_recovery.core.rights import Account, Right
from ultra_recovery.ports import Reviewed

EVICT = Right("create", "pods/eviction", "")
JOBS = Right("create", "jobs", "batch")
RUNS = Right("create", "recoveryruns")


class ReviewsContract:
    @pytest.fixture
    def account(self, world: World) -> Account:
        return Account(world.namespace, "healer")

    async def may(self, world: World, account: Account, right: Right) -> bool:
        return await world.reviewer.allowed(Reviewed(account.username, groups=account.groups), right, account.namespace)

    async def test_an_account_without_a_role_may_nothing(self, world: World, account: Account):
        assert [await self.may(world, account, right) for right in (EVICT, JOBS, RUNS)] == [False] * 3

    async def test_what_a_message_prints_grants_what_it_says_and_no_more(self, world: World, account: Account):
        await world.grant(account, [EVICT, RUNS])
        assert [await self.may(world, account, right) for right in (EVICT, RUNS, JOBS)] == [True, True, False]
        assert not await self.may(world, Account(account.namespace, "stranger"), EVICT)

    async def test_a_right_holds_in_its_namespace_alone(self, world: World, account: Account):
        await world.grant(account, [EVICT])
        who = Reviewed(account.username, groups=account.groups)
        assert not await world.reviewer.allowed(who, EVICT, "default")
