"""Who is due what and when, in virtual time."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from plimsoll.edges.api.stream_hub import FAILED, SIGNED_OUT, STOPPING, TALKATIVE, TOO_SLOW, Pace
from plimsoll.ledger import accounts
from plimsoll.ledger.follow import DESK
from plimsoll.model.errors import Illegal, TryAgain, Wait
from tests.builders.ledger import PERPETUAL, SPOT
from tests.edges.stream_scenes import ADA, ADAS, ADAS_OTHER, BOB, BOBS, GRACE, Cove, Tape, play

D = Decimal


def test_a_subscriber_gets_his_own_events_with_his_own_numbers(tmp_path: Path) -> None:
    """Numbers count over the whole desk; what is another's is a gap, and `previous` leads over it."""

    async def story(cove: Cove) -> None:
        ada, bob, grace = [await cove.board(await cove.actor(user)) for user in (ADA, BOB, GRACE)]
        await cove.happens(ADAS, "a", "b")
        await cove.happens(BOBS, "c")
        await cove.happens(DESK, "d")
        await cove.happens(ADAS_OTHER, "e")
        await cove.happens(BOBS, "f")
        await asyncio.sleep(0.1)
        assert ada.events() == [(1, 0), (2, 1), (5, 2)]
        assert bob.events() == [(3, 0), (6, 3)]
        assert grace.events() == [(4, 0)]
        last = ada.of("event")[-1]
        assert (last["account"], last["kind"], last["details"]) == ("a-3", "BREAK_FOUND", {"what": "e"})
        assert grace.of("event")[0]["account"] is None

    play(tmp_path, story)


def test_an_event_is_there_at_once(tmp_path: Path) -> None:
    async def story(cove: Cove) -> None:
        ada = await cove.board(await cove.actor(ADA))
        await asyncio.sleep(1.111)
        await cove.happens(ADAS, "a")
        await asyncio.sleep(0.02)
        assert ada.events() == [(1, 0)]

    play(tmp_path, story)


def test_who_comes_back_with_his_number_gets_all_after_it_and_then_what_happens(tmp_path: Path) -> None:
    """From every number, once and in order; the first frame's `previous` is his last one not behind the number."""

    async def story(cove: Cove) -> None:
        for number in range(30):
            await cove.happens((ADAS, BOBS)[number % 3 == 0], str(number))
        mine = cove.stored(ADAS)
        ada = await cove.actor(ADA)
        for after in range(31):
            tape = await cove.board(ada, after)
            at = [number for number in mine if number <= after]
            rest = [number for number in mine if number > after]
            await cove.happens(ADAS, "live")
            mine.append(cove.events.number)
            await asyncio.sleep(0.5)
            numbers, previous = [number for number, _ in tape.events()], [before for _, before in tape.events()]
            assert numbers == [*rest, mine[-1]]
            assert previous == [at[-1] if at else 0, *numbers[:-1]]
            assert tape.of("hello")[0]["number"] == mine[-2], "the last so far, though it still has to come"
            assert tape.numbers[0] == after
            await end(cove, tape)

    play(tmp_path, story, pace=Pace(events_at_once=4), kept=10)


def test_without_a_number_one_follows_from_now(tmp_path: Path) -> None:
    """The greeting names the last event of his; a line that breaks before the next one loses nothing by its place."""

    async def story(cove: Cove) -> None:
        await cove.happens(ADAS, "a")
        await cove.happens(BOBS, "b")
        ada = await cove.board(await cove.actor(ADA))
        assert ada.frames[0] == {"type": "hello", "number": 1, "heartbeat_seconds": 5.0}
        assert ada.numbers[0] == 2
        await cove.happens(ADAS, "c")
        await asyncio.sleep(0.1)
        assert ada.events() == [(3, 1)]

    play(tmp_path, story)


def test_a_number_that_no_event_has_is_refused(tmp_path: Path) -> None:
    """It came from another desk, or from before a backup was brought back."""

    async def story(cove: Cove) -> None:
        await cove.happens(ADAS, "a")
        ada = await cove.actor(ADA)
        with pytest.raises(Illegal, match="after = 2: the last event is 1"):
            cove.streams.enter(ada, 2)
        tape = await cove.board(ada, 1)
        assert tape.events() == []
        assert len(cove.streams._subscribers) == 1

    play(tmp_path, story)


def test_who_was_away_for_too_long_is_told_to_read_everything_again(tmp_path: Path) -> None:
    """Then he follows from the number that he is told."""

    async def story(cove: Cove) -> None:
        await cove.happens(ADAS, "a", "b", "c", "d", "e", "f")
        cove.forget(3)
        ada = await cove.actor(ADA)
        gone = await cove.board(ada, 2)
        assert [frame["type"] for frame in gone.frames[:2]] == ["hello", "snapshot_required"]
        assert gone.of("snapshot_required") == [{"type": "snapshot_required", "number": 6}]
        assert gone.numbers[1] == 6
        await cove.happens(ADAS, "g")
        await asyncio.sleep(0.1)
        assert gone.events() == [(7, 6)]
        still = await cove.board(ada, 3)
        assert still.events()[:2] == [(4, 3), (5, 4)], "nothing that he lacks is gone"

    play(tmp_path, story, kept=2)


def test_prices_are_shown_four_times_a_second_the_newest_of_each(tmp_path: Path) -> None:
    """A thousand quotes in between are one; what did not change is not shown again; another's source never is."""

    async def story(cove: Cove) -> None:
        cove.quote(ADAS, "100")
        ada, bob = await cove.board(await cove.actor(ADA)), await cove.board(await cove.actor(BOB))
        assert [row["bid"] for row in ada.of("quotes")[0]["items"]] == ["100"]
        for number in range(1_000):
            cove.quote(ADAS, str(200 + number))
        cove.quote(ADAS_OTHER, "50", PERPETUAL.id)
        await asyncio.sleep(0.3)
        cove.quote(BOBS, "7")
        await asyncio.sleep(1)
        items = [[(row["symbol"], row["bid"]) for row in frame["items"]] for frame in ada.of("quotes")]
        assert items == [[(SPOT.symbol, "100")], [(SPOT.symbol, "1199"), (PERPETUAL.symbol, "50")]]
        assert [[row["source"] for row in frame["items"]] for frame in bob.of("quotes")] == [["synthetic"]]
        assert "Infinity" not in str(ada.frames)

    play(tmp_path, story)


def test_two_accounts_of_one_source_show_each_price_once(tmp_path: Path) -> None:
    """The board that lags adds nothing, and takes nothing back."""

    async def story(cove: Cove) -> None:
        cove.quote(ADAS_OTHER, "1")
        await asyncio.sleep(1)
        cove.quote(ADAS, "2")
        ada = await cove.board(await cove.actor(ADA))
        await asyncio.sleep(1)
        assert [[row["bid"] for row in frame["items"]] for frame in ada.of("quotes")] == [["2"]]

    play(tmp_path, story)


def test_ages_go_on_while_no_price_comes(tmp_path: Path) -> None:
    """Who comes an hour later is not shown an hour-old picture as if it were drawn now."""

    async def story(cove: Cove) -> None:
        cove.quote(ADAS, "100")
        actor = await cove.actor(ADA)
        first = await cove.board(actor)
        await asyncio.sleep(600)
        second = await cove.board(actor)
        (young,), (old,) = first.of("quotes")[0]["items"], second.of("quotes")[0]["items"]
        assert (young["fresh"], old["fresh"]) == (True, False)
        assert old["age_seconds"] > 599

    play(tmp_path, story)


def test_figures_are_shown_once_a_second_and_read_once_for_all(tmp_path: Path) -> None:
    """Ten pages of one person are one reading of each account."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        tapes = [await cove.board(actor) for _ in range(10)]
        await asyncio.sleep(0.6)
        before = cove.pulses_read
        for tape in tapes:
            tape.frames.clear()
        cove.equity[ADAS] = D("1234.5")
        await asyncio.sleep(3)
        assert cove.pulses_read - before == 3 * 2
        for tape in tapes:
            assert [[one["account"] for one in frame["accounts"]] for frame in tape.of("pulse")] == [["a-1", "a-3"]] * 3
            assert tape.of("pulse")[-1]["accounts"][0]["equity"] == "1234.5"

    play(tmp_path, story)


def test_figures_that_break_keep_no_event_back(tmp_path: Path) -> None:
    """The other account's are shown, and the broken one's again when it can be valued."""

    async def story(cove: Cove) -> None:
        cove.equity[ADAS] = ZeroDivisionError("a bug of ours")
        ada = await cove.board(await cove.actor(ADA))
        await cove.happens(ADAS, "a")
        await asyncio.sleep(2)
        assert ada.events() == [(1, 0)]
        assert [one["account"] for one in ada.of("pulse")[-1]["accounts"]] == ["a-3"]
        cove.equity[ADAS] = D(5)
        await asyncio.sleep(2)
        assert [one["account"] for one in ada.of("pulse")[-1]["accounts"]] == ["a-1", "a-3"]

    play(tmp_path, story)


def test_a_line_that_carries_nothing_else_beats(tmp_path: Path) -> None:
    async def story(cove: Cove) -> None:
        ada = await cove.board(await cove.actor(ADA))
        ada.frames.clear()
        await asyncio.sleep(16)
        assert {frame["type"] for frame in ada.frames} == {"heartbeat"}
        assert len(ada.frames) == 3

    play(tmp_path, story, pace=Pace(pulse_seconds=3600))


def test_who_takes_nothing_is_cut_off_and_costs_nothing_meanwhile(tmp_path: Path) -> None:
    """His neighbour, who has the same accounts, misses nothing; he himself comes back with his number."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        slow, quick = await cove.board(actor), await cove.board(actor)
        slow.takes.clear()
        for number in range(100):
            await cove.happens(ADAS, str(number))
            await asyncio.sleep(0.05)
        assert [number for number, _ in quick.events()] == list(range(1, 101))
        kept = len(slow.frames)
        await asyncio.sleep(10)
        assert slow.ending == TOO_SLOW
        assert len(slow.frames) == kept
        again = await cove.board(actor, max([number for number, _ in slow.events()], default=0))
        await asyncio.sleep(5)
        assert [number for number, _ in [*slow.events(), *again.events()]] == list(range(1, 101))

    play(tmp_path, story)


def test_who_reads_slowly_gets_every_event_and_fewer_pictures(tmp_path: Path) -> None:
    """A message every two seconds: events are all there and in order, prices only the newest."""

    async def story(cove: Cove) -> None:
        slow = await cove.board(await cove.actor(ADA))
        slow.frames.clear()
        for number in range(60):
            slow.takes.clear()
            await cove.happens(ADAS, f"{number}")
            cove.quote(ADAS, f"{100 + number}")
            await asyncio.sleep(1)
            if number % 2:
                slow.takes.set()
                await asyncio.sleep(0)
        slow.takes.set()
        await asyncio.sleep(3)
        assert [number for number, _ in slow.events()] == list(range(1, 61))
        bids = [int(frame["items"][0]["bid"]) for frame in slow.of("quotes")]
        assert bids == sorted(set(bids))
        assert bids[-1] == 159

    play(tmp_path, story)


def test_whoever_lost_his_token_is_cut_off_within_five_seconds(tmp_path: Path) -> None:
    """Signed out, or no longer who he was; another session of the same person goes on."""

    async def story(cove: Cove) -> None:
        one, other, bobs = await cove.actor(ADA), await cove.actor(BOB), None
        bobs = cove.people.session(await cove.people.sign_in(BOB.name, "four words nobody guesses", "here"))
        assert bobs is not None
        ada, bob, bob_elsewhere = [await cove.board(actor) for actor in (one, other, bobs)]
        await cove.people.sign_out(other)
        await cove.driver.write(lambda draft: accounts.write_user(draft, replace(ADA, active=False)))
        await asyncio.sleep(5)
        assert (ada.ending, bob.ending, bob_elsewhere.ending) == (SIGNED_OUT, SIGNED_OUT, None)
        before = len(bob.frames)
        await cove.happens(BOBS, "a")
        await asyncio.sleep(1)
        assert len(bob.frames) == before
        assert bob_elsewhere.events() == [(1, 0)]

    play(tmp_path, story)


def test_a_line_that_does_not_even_take_the_last_word_is_let_go(tmp_path: Path) -> None:
    """Whether he takes nothing or has lost his session; the first reason for an end stands."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        stuck, deaf = Tape(), Tape()
        stuck.hears_last_word = deaf.hears_last_word = False
        await cove.board(actor, tape=deaf)
        (subscriber,) = cove.streams._subscribers
        await cove.people.sign_out(actor)
        await asyncio.sleep(3)
        assert subscriber.ended.result() == SIGNED_OUT
        assert not cove.streams._subscribers
        await cove.board(await cove.actor(BOB), tape=stuck)
        stuck.takes.clear()
        await asyncio.sleep(20)
        assert stuck.ending is None
        assert cove.task.done()
        assert not cove.streams._subscribers

    play(tmp_path, story, pace=Pace(token_seconds=0.1))


def test_whoever_goes_is_forgotten_and_the_last_one_turns_off_the_light(tmp_path: Path) -> None:
    """Nobody is looked after who is not there: no look at a price, no figure read, no task."""

    async def story(cove: Cove) -> None:
        tapes = [await cove.board(await cove.actor(user)) for user in (ADA, BOB)]
        await end(cove, tapes[0])
        assert len(cove.streams._audiences) == 1
        await end(cove, tapes[1])
        await asyncio.sleep(1)
        assert len(asyncio.all_tasks()) == 1
        assert not cove.streams._audiences
        read = cove.pulses_read
        await asyncio.sleep(60)
        assert cove.pulses_read == read
        again = await cove.board(await cove.actor(ADA))
        await cove.happens(ADAS, "a")
        await asyncio.sleep(0.1)
        assert again.events() == [(1, 0)]

    play(tmp_path, story)


def test_a_line_that_is_cut_before_or_while_it_carries_is_no_failure(tmp_path: Path) -> None:
    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        never = Tape()
        never.cut = True
        await cove.board(actor, tape=never)
        assert (never.frames, len(cove.streams._subscribers)) == ([], 0)
        ada = await cove.board(actor)
        ada.cut = True
        await asyncio.sleep(2)
        assert ada.ending is None
        assert cove.task.exception() is None
        assert not cove.streams._subscribers

    play(tmp_path, story)


def test_whoever_talks_into_the_stream_is_shown_out(tmp_path: Path) -> None:
    async def story(cove: Cove) -> None:
        ada = await cove.board(await cove.actor(ADA))
        ada.says.set_result(TALKATIVE)
        await asyncio.sleep(0.1)
        assert ada.ending == TALKATIVE

    play(tmp_path, story)


def test_a_session_or_key_has_so_many_streams_and_no_more(tmp_path: Path) -> None:
    """Its twenty-first is refused, another's first is not; one that ends makes room."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        tapes = [await cove.board(actor) for _ in range(20)]
        with pytest.raises(Wait, match="20 streams of this session or key are open"):
            cove.streams.enter(actor, None)
        await cove.board(await cove.actor(BOB))
        assert len(cove.streams._subscribers) == 21
        await end(cove, tapes[3])
        await cove.board(actor)

    play(tmp_path, story)


def test_a_desk_that_stops_ends_every_stream_and_takes_nobody_in(tmp_path: Path) -> None:
    """Also the one that takes nothing."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        tapes = [await cove.board(actor) for _ in range(3)]
        tapes[1].takes.clear()
        tapes[2].hears_last_word = False
        before = cove.clock.monotonic()
        await cove.streams.close()
        assert [tape.ending for tape in tapes] == [STOPPING, STOPPING, None]
        assert cove.clock.monotonic() - before <= 1
        with pytest.raises(TryAgain, match="stopping"):
            cove.streams.enter(actor, None)

    play(tmp_path, story)


def test_events_that_cannot_be_read_end_the_stream(tmp_path: Path) -> None:
    """Better no stream than one with a hole; who comes back when the disk does has missed nothing."""

    async def story(cove: Cove) -> None:
        for number in range(9):
            await cove.happens(ADAS, str(number))
        actor = await cove.actor(ADA)
        hidden = cove.path.with_name("elsewhere")
        cove.path.rename(hidden)
        ada = await cove.board(actor, 0)
        assert ada.ending == FAILED
        hidden.rename(cove.path)
        again = await cove.board(actor, 0)
        assert [number for number, _ in again.events()] == list(range(1, 10))

    play(tmp_path, story, kept=3)


def test_a_bug_in_the_round_ends_every_stream_and_none_goes_on_unwatched(tmp_path: Path) -> None:
    """Whose token could not be asked is not shown another event; the next who comes is served again."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        ada = await cove.board(actor)
        cove.tokens_break = True
        await asyncio.sleep(5)
        assert ada.ending == FAILED
        cove.tokens_break = False
        again = await cove.board(actor)
        await cove.happens(ADAS, "a")
        await asyncio.sleep(0.1)
        assert again.events() == [(1, 0)]

    play(tmp_path, story)


def test_in_a_burst_everybody_falls_behind_together_and_catches_up(tmp_path: Path) -> None:
    """Fifty subscribers, five hundred events: sending takes the time that it is given, and everything arrives."""

    async def story(cove: Cove) -> None:
        actor = await cove.actor(ADA)
        tapes = [await cove.board(actor) for _ in range(50)]
        await cove.happens(ADAS, *(str(number) for number in range(500)))
        started, sent = cove.clock.monotonic(), cove.streams._sent
        await asyncio.sleep(1)
        assert cove.streams._sent - sent < 5_500
        while any(len(tape.events()) < 500 for tape in tapes):
            await asyncio.sleep(0.1)
        assert 4 < cove.clock.monotonic() - started < 8
        for tape in tapes:
            assert [number for number, _ in tape.events()] == list(range(1, 501))
            assert max(tape.sent) <= 25 + 2

    play(tmp_path, story, pace=Pace(frames_per_second=5_000, streams_per_user=50))


async def end(cove: Cove, tape: Tape) -> None:
    """Have the other side go."""
    left = len(cove.streams._subscribers) - 1
    tape.says.set_result(None)
    while len(cove.streams._subscribers) > left:
        await asyncio.sleep(0)
