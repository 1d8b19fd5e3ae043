"""Which passwords are refused: the short ones, and those that an attacker tries first. No rules of composition.

1. Twelve characters at least, whatever they are.
2. Nothing that a list of common passwords leads to: a listed word or two, with digits, signs and the usual swaps of
   letters around them (`P4ssw0rd2024!`), a walk over the keyboard, a count, one thing repeated.
3. Not the user's own name with a bit of decoration.

A refusal never holds the password or a part of it: it is shown, and may be logged.
"""

import unicodedata
from functools import cache
from importlib.resources import files
from itertools import pairwise

from plimsoll.model.errors import Refusal

SHORTEST = 12
#: Far beyond any sentence, and short enough that hashing it costs no more than hashing a short one.
LONGEST = 1_000
#: A password of fewer different characters is a pattern.
_FEWEST_DIFFERENT = 5
#: A repeated part of so many characters or fewer is no more than the part.
_LONGEST_REPEATED = 6
#: Characters beyond listed words, beyond a name, and beyond walks, that make it a password after all.
_ENOUGH_BESIDE_WORDS = 10
_ENOUGH_BESIDE_NAME = 8
_ENOUGH_BESIDE_WALKS = 4
_SHORTEST_WALK = 3
_SHORTEST_NAME = 3
_DESK = "plimsoll"
#: How people write letters to please a rule of composition.
_SWAPS = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})
#: Rows and columns of keyboards, the alphabet, and counting.
_WALKS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "1234567890-=",
    "!@#$%^&*()_+",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiop",
    "azertyuiop",
    "qsdfghjklm",
    "yxcvbnm",
    "wxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "a1b2c3d4e5f6g7h8i9",
    "1a2b3c4d5e6f7g8h9i",
)


def normal(password: str) -> bytes:
    """Give the bytes that are hashed: one form for what keyboards write in two ways.

    Half a character of UTF-16, which JSON can carry, is taken as it is: the error of a strict encoder would quote it.
    """
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def weaknesses(password: str, user_name: str) -> tuple[Refusal, ...]:
    """List why a password is not taken; empty for one that is."""
    length = len(unicodedata.normalize("NFC", password))
    if length < SHORTEST:
        return (
            Refusal(
                "password_too_short",
                "the password is too short",
                observed=f"{length} characters",
                limit=f"{SHORTEST} characters or more",
                remedy="take a sentence, or four words that have nothing to do with each other",
            ),
        )
    if length > LONGEST:
        return (
            Refusal(
                "password_too_long",
                "the password is too long",
                observed=f"{length} characters",
                limit=f"{LONGEST} characters or fewer",
                remedy="take a shorter one",
            ),
        )
    # Wide letters read as plain ones. One sign may stand for a whole sentence: what is looked at stays bounded.
    said = unicodedata.normalize("NFKC", password).casefold()[:LONGEST]
    found = []
    if len(set(password)) < _FEWEST_DIFFERENT or _is_pattern(said) or _is_common(said):
        found.append(
            Refusal(
                "password_common",
                "the password is among those that are tried first: common words, walks over the keyboard, repetitions",
                remedy="take four words that have nothing to do with each other",
            )
        )
    if _is_name(said, user_name.casefold()):
        found.append(
            Refusal(
                "password_holds_name",
                "the password is little more than a name that everybody knows",
                remedy="leave your name and the desk's out of it",
            )
        )
    return tuple(found)


def _is_pattern(said: str) -> bool:
    if any(said == (said[:size] * len(said))[: len(said)] for size in range(1, _LONGEST_REPEATED + 1)):
        return True
    return len(said) - _walked(said) < _ENOUGH_BESIDE_WALKS


def _walked(said: str) -> int:
    """Count the characters that belong to walks and runs, from left to right, the longest walk at each place."""
    place = walked = 0
    while place < len(said):
        size = _walk_from(said, place)
        if size >= _SHORTEST_WALK:
            walked += size
            place += size
        else:
            place += 1
    return walked


def _walk_from(said: str, place: int) -> int:
    """Measure the longest walk that starts at a place, in either direction, or a run of one character."""
    size = 1
    while place + size < len(said) and said[place + size] == said[place]:
        size += 1
    while place + size < len(said) and any(said[place : place + size + 1] in walk for walk in _walks()):
        size += 1
    return size


@cache
def _walks() -> tuple[str, ...]:
    return (*_WALKS, *(walk[::-1] for walk in _WALKS))


def _is_common(said: str) -> bool:
    """Say whether it is one or two listed words with less than enough around them, swapped letters undone or not."""
    bare = said.strip("".join(character for character in said if not character.isalpha()))
    for letters in (_letters(said), _letters(bare.translate(_SWAPS))):
        signs = "".join(character for character in said if not character.isalpha())
        beside = min(len(said) - len(letters), len(signs) - _walked(signs))
        if letters and beside < _ENOUGH_BESIDE_WORDS and _is_listed(letters):
            return True
    return False


def _letters(said: str) -> str:
    return "".join(character for character in said if character.isalpha())


def _is_listed(letters: str) -> bool:
    words = common_words()
    whole = next(letters[:size] for size in range(1, len(letters) + 1) if _repeats(letters, size))
    return whole in words or any(whole[:cut] in words and whole[cut:] in words for cut in range(1, len(whole)))


def _repeats(letters: str, size: int) -> bool:
    """Say whether a text is its own first so many letters again and again."""
    return len(letters) % size == 0 and all(
        first == second for first, second in pairwise(letters[at : at + size] for at in range(0, len(letters), size))
    )


def _is_name(said: str, user_name: str) -> bool:
    names = {_DESK, *(part for part in _words_of(user_name) if len(part) >= _SHORTEST_NAME)}
    without = said
    for name in sorted(names, key=lambda each: (-len(each), each)):
        without = without.replace(name, "")
    return without != said and len("".join(_words_of(without))) < _ENOUGH_BESIDE_NAME


def _words_of(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text).split()


@cache
def common_words() -> frozenset[str]:
    """Read the list that comes with the package: the words that most common passwords are made of."""
    text = (files(__package__) / "common_passwords.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
