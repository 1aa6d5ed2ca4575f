"""Open connections are judged again: revoked, withdrawn, expired and old ones end; nobody ends for a missing list."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rtu.security.certificates import pki
from rtu.server.policing import WATCH_S
from tests.certificates import CLIENT, make
from tests.server.tls_world import House, PythonMaster, World, version
from tests.tls_parts import Now

DAY_S = 86400.0
LISTS = {"revoked": ["ca.crl"]}
OF_SUB = {"trusted": ["root.crt", "sub.crt"], "revoked": ["root.crl", "sub.crl"]}

Story = Callable[[House], Awaitable[None]]


@pytest.fixture
def run(rig: Any, world: World) -> Callable[..., None]:
    """Tells a story in a house with these keys of [listen.tls]; files are copied, so that it may spoil them."""

    def tell(story: Story, now: Now | None = None, **changes: object) -> None:
        async def main() -> None:
            async with House(rig, world, now or Now(), **changes).open() as house:
                await story(house)

        asyncio.run(main())

    return tell


@pytest.fixture
def world(world: World, tmp_path: Any) -> World:
    copy = object.__new__(World)
    copy.__dict__.update(world.__dict__)
    copy.where = shutil.copytree(world.where, tmp_path / "world")
    return copy


async def come(house: House, who: str = "good", how: PythonMaster | None = None) -> None:
    """Get in and be started."""
    house.heard = b""
    await (how or PythonMaster())(house, who)
    assert house.heard


def closed(house: House) -> list[dict[str, Any]]:
    return house.records("session.close")


def test_a_master_revoked_while_connected_is_sent_away_within_seconds(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house)
        house.world.revoke("good")
        rig.clock.advance(WATCH_S)
        await house.until(lambda: closed(house))
        (record,) = closed(house)
        assert (record["reason"], record["id"]) == ("the peer's certificate is revoked", "IEC62351-3:1.8")
        assert house.listener.guests == {}

    run(story, **LISTS)


def test_a_revoked_master_is_sent_away_although_the_list_is_read_at_a_connection(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house)
        house.world.revoke("good")
        await come(house, "other")
        rig.clock.advance(WATCH_S)
        await house.until(lambda: closed(house))
        assert [guest.peer.master for guest in house.listener.guests.values()] == ["other"]

    run(story, **LISTS)


def test_all_masters_of_a_revoked_intermediate_authority_are_sent_away(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house, "of the sub with all")
        serial = house.world.sub.certificate.serial_number
        house.world.put("root.crl", pki.revocation_list(house.world.root, [serial], number=6))
        rig.clock.advance(WATCH_S)
        await house.until(lambda: closed(house))
        assert closed(house)[0]["id"] == "IEC62351-3:1.8"

    run(story, **OF_SUB)


@pytest.mark.parametrize("policy", ["warn", "require"])
@pytest.mark.parametrize("what", ["gone", "empty", "forged", "older", "expired"])
def test_nobody_is_sent_away_because_of_a_list_that_is_no_good(
    run: Any, rig: Any, policy: str, what: str
) -> None:
    async def story(house: House) -> None:
        await come(house)
        match what:
            case "gone":
                (house.world.where / "ca.crl").unlink()
            case "empty":
                house.world.put("ca.crl", b"")
            case "forged":
                house.world.forge("good")
            case "older":
                house.world.revoke("good", number=4)
            case "expired":
                house.tls.now.ahead_s = 10 * DAY_S
        rig.clock.advance(1200)
        assert closed(house) == []
        assert house.records("tls.fault", "revocation.stale")
        assert house.tls.contexts.status().usable

    run(story, crl_policy=policy, **LISTS)


def test_a_list_that_is_gone_does_not_bring_a_revoked_master_back(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        house.world.revoke("good")
        rig.clock.advance(WATCH_S)
        (house.world.where / "ca.crl").unlink()
        await PythonMaster()(house, "good")
        await house.until(lambda: house.records("tls.refuse"))
        assert house.records("tls.refuse")[0]["id"] == "IEC62351-3:2.4"

    run(story, **LISTS)


@pytest.mark.parametrize(("grace_s", "ends_after_days"), [(0.0, 30), (5 * DAY_S, 35)])
def test_a_connection_ends_when_its_certificate_has_expired_and_the_grace_is_over(
    run: Any, rig: Any, grace_s: float, ends_after_days: int
) -> None:
    async def story(house: House) -> None:
        await come(house)
        for day in range(1, 40):
            house.tls.now.ahead_s = day * DAY_S
            rig.clock.advance(600)
            if closed(house):
                break
        assert day == ends_after_days
        assert closed(house)[0]["reason"] == "the peer's certificate has expired"
        assert closed(house)[0]["id"] == "IEC62351-3:2.8"

    run(story, expiry_grace_s=grace_s, max_session_age_s=604_800.0)


def test_the_recheck_comes_as_often_as_it_is_meant_to(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house)
        rig.clock.advance(1000)
        house.tls.now.ahead_s = 31 * DAY_S
        rig.clock.advance(190)
        assert closed(house) == []
        rig.clock.advance(20)
        assert len(closed(house)) == 1

    run(story, recheck_s=1200.0)


@pytest.mark.parametrize(
    ("tls", "event"),
    [(ssl.TLSVersion.TLSv1_2, "IEC62351-3:1.11"), (ssl.TLSVersion.TLSv1_3, "IEC62351-3:1.19")],
)
def test_a_connection_gets_no_older_than_it_may_and_the_master_comes_again(
    run: Any, rig: Any, tls: ssl.TLSVersion, event: str
) -> None:
    async def story(house: House) -> None:
        how = PythonMaster(version(tls))
        await come(house, how=how)
        rig.clock.advance(3600 - 10)
        assert closed(house) == []
        rig.clock.advance(15)
        (record,) = closed(house)
        assert record["reason"] == "the connection is 3600 s old: it has to be made anew"
        assert record["id"] == event
        await come(house, how=how)
        assert len(house.listener.guests) == 1

    run(story, max_session_age_s=3600.0)


def test_who_loses_his_authority_is_sent_away_and_others_stay(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house, "of CA 0")
        await come(house, "good")
        (house.world.where / "ca0.crt").unlink()
        rig.clock.advance(WATCH_S)
        await house.until(lambda: closed(house))
        (record,) = closed(house)
        assert record["master"] == "of ca0"
        assert "no authority that is trusted now" in record["reason"]
        assert house.tls.contexts.status().usable

    run(story, trusted=["ca.crt", "ca0.crt"])


def test_who_is_not_pinned_any_more_is_sent_away(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house, "foreign")
        house.world.people["sibling"].write(house.world.where / "foreign.crt")
        rig.clock.advance(WATCH_S)
        await house.until(lambda: closed(house))
        assert "no authority that is trusted now" in closed(house)[0]["reason"]

    run(story, trusted=[], pinned=["foreign.crt"])


def test_a_spoilt_authority_sends_nobody_away(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house)
        house.world.put("ca.crt", b"-----BEGIN CERTIFICATE-----\nMIIB")
        rig.clock.advance(1200)
        assert closed(house) == []
        assert len(house.records("tls.fault")) == 1
        await come(house, "other")

    run(story)


def test_new_certificates_touch_no_open_connection(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house)
        for _ in range(10):
            pki.issue(house.world.ca, "station", "station", ["ip:127.0.0.1"]).write(
                house.world.where / "station.crt", house.world.where / "station.key"
            )
            rig.clock.advance(WATCH_S)
            await come(house, "other")
        assert [record for record in closed(house) if record["master"] == "m"] == []
        assert len(house.records("certificate.change")) == 2 + 10

    run(story)


def test_renewing_an_authority_with_its_old_key_keeps_its_masters(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house)
        make(None, name="CA", authority=True, key=house.world.ca.key).write(house.world.where / "ca.crt")
        rig.clock.advance(600)
        assert closed(house) == []
        assert len(house.records("certificate.change")) == 3

    run(story)


def test_a_master_with_a_certificate_of_minutes_is_served_until_it_ends(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        brief = make(house.world.ca, CLIENT, days=(-1, 600 / DAY_S))
        brief.write(house.world.where / "brief.crt", house.world.where / "brief.key")
        await come(house, "brief")
        house.tls.now.ahead_s = 500.0
        rig.clock.advance(600)
        assert closed(house) == []
        house.tls.now.ahead_s = 700.0
        rig.clock.advance(600)
        assert len(closed(house)) == 1

    run(story)


def test_until_the_clock_is_known_nobody_is_sent_away_for_being_early(run: Any, rig: Any) -> None:
    async def story(house: House) -> None:
        await come(house, "tomorrow")
        rig.clock.advance(600)
        assert closed(house) == []

    run(story, Now(valid=False))
