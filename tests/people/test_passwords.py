"""Passwords that are tried first are refused, all others are taken, and a refusal never repeats one."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.people import units
from plimsoll.people.api_keys import MOST_DAYS
from plimsoll.people.hashing import AT_ONCE, STRENGTH
from plimsoll.people.passwords import LONGEST, SHORTEST, common_words, normal, weaknesses
from plimsoll.people.sessions import IDLE, LINK_LIFETIME, LONGEST_SESSION, SESSIONS_OF_ONE
from plimsoll.people.throttle import FAILURES, LONGEST_LOCK, WINDOW
from plimsoll.people.tokens import KEY_PREFIX, shown


def codes(password: str, name: str = "Ada Lovelace") -> list[str]:
    return [refusal.code for refusal in weaknesses(password, name)]


#: From lists of what people use where twelve characters are asked for.
TRIED_FIRST = """
    password1234 Password2024! P4ssw0rd2024! pa$$w0rd1234 PASSWORDPASSWORD passwordpassword1 changeme1234
    123456789012 098765432109 111111111111 121212121212 123123123123 abc123abc123 abcdefghijkl aaaaaaaaaaab
    qwertyuiop12 qwertyuiop[] asdfghjkl;'1 1qaz2wsx3edc 1q2w3e4r5t6y zaq12wsxcde3 qazwsxedcrfv !@#$%^&*()_+
    iloveyou1234 ILoveYou!!!! letmein12345 welcome12345 Welcome2024! dragonmonkey football1234 sunshine!!!!
    trustno1trustno1 princess12345678 bitcoin2024! charlie19841231 administrator admin1234567 tothemoon2021
    ababababababab
"""


@pytest.mark.parametrize("password", [*TRIED_FIRST.split(), "ｐａｓｓｗｏｒｄ２０２４", "ﷺ" * LONGEST])
def test_what_is_tried_first_is_refused(password: str) -> None:
    assert len(password) >= SHORTEST
    assert codes(password) == ["password_common"]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "four words nobody guesses",
        "my-parrot-hates-mondays",
        "ключ от старой лодки",
        "密码不是这个密码而是另一个",
        "Ωmega-3 is fish?",
        "x9#Lm2!vTq8z",
        "tK7-wq2P-hhv9",
        "8402957316284750",
        # A listed word, or a letter, and much more than that.
        "love9284#!7753",
        "92#a84!7^53@1",
    ],
)
def test_anything_else_of_twelve_characters_is_taken(password: str) -> None:
    """No rule asks for capitals, digits or signs."""
    assert codes(password) == []


@pytest.mark.parametrize(
    "password", ["ada lovelace1", "AdaLovelace!!", "lovelace-1815", "plimsoll-2024", "AdaPlimsoll12"]
)
def test_a_name_with_decoration_is_refused(password: str) -> None:
    assert "password_holds_name" in codes(password)


def test_a_name_inside_a_sentence_is_taken_and_a_short_name_is_no_name() -> None:
    assert codes("lovelace had a brass engine") == []
    assert codes("bo9#Lm2!vTq8", "Bo") == []


def test_length_is_counted_in_characters_and_bounded() -> None:
    """As they are hashed: an accent is one character however the keyboard wrote it."""
    assert codes("x9#Lm2!vTq8") == ["password_too_short"]
    assert codes("e\u0301" * 11) == ["password_too_short"]
    assert codes("x9#Lm2!vTq8z" * 90) == ["password_too_long"]
    assert codes(("x9#Lm2!vTq8z" * 90)[:LONGEST]) == []


def test_the_same_text_from_two_keyboards_is_the_same_password() -> None:
    assert normal("caf\u00e9 au lait") == normal("cafe\u0301 au lait")
    assert normal("cafe au lait") != normal("caf\u00e9 au lait")


@given(st.text(alphabet=st.characters(categories=None), max_size=40), st.text(max_size=20))
def test_any_text_is_judged_and_none_is_repeated(password: str, name: str) -> None:
    """Half characters too, which JSON can carry and UTF-8 cannot."""
    assert normal(password) == normal(password)
    for refusal in weaknesses(password, name):
        told = "\n".join((refusal.code, refusal.sentence, refusal.observed, refusal.limit, refusal.remedy))
        assert len(password) < 5 or password not in told


def test_the_list_is_there_and_in_the_form_it_is_looked_up_in() -> None:
    words = common_words()
    assert len(words) > 1_000
    assert [word for word in words if word != word.casefold() or not word.isalpha() or len(word) > 30] == []


def test_the_page_for_those_who_run_a_desk_says_what_is_so() -> None:
    """Numbers in prose drift."""
    page = " ".join((Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text("utf-8").split())
    minutes, hours = IDLE // timedelta(minutes=1), LONGEST_SESSION // timedelta(hours=1)
    window, longest_lock = WINDOW // timedelta(minutes=1), LONGEST_LOCK // timedelta(minutes=1)
    for said in (
        f"works once and for {LINK_LIFETIME // timedelta(minutes=1)} minutes",
        f"{SHORTEST} characters or more, up to {LONGEST:,}",
        f"argon2id ({STRENGTH.memory_kib // 1024} MiB, {STRENGTH.passes} passes)",
        f"After {FAILURES} failures within {window} minutes",
        f"wait {window} minutes, then {2 * window}, then {longest_lock}",
        f"within {units.AT_HOME_FOR.days} days",
        f"At most {AT_ONCE} passwords are checked at once",
        f"{minutes} minutes after its last use, {hours} hours after its beginning",
        f"at most {SESSIONS_OF_ONE} sessions",
        f"the first {len(shown(KEY_PREFIX + 43 * 'x'))} characters",
        f"after at most {MOST_DAYS} days",
    ):
        assert said in page, said
