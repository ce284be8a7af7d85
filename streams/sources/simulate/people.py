"""Simulated people, the names by which systems know them, and the things that several of them share.

A person's identifiers are connected by the events that carry two of them, exactly as the rules of identity see it:
each event links its strongest identifier with its others, and a shared identifier connects nothing. The simulator
knows which identifiers are shared, because it made them so: a shared one appears beside at least two customers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from random import Random

from streams.sources.simulate.world import HOMES

Identifier = tuple[str, str]
"""(kind, value)"""

STRENGTH = {
    kind: rank
    for rank, kind in enumerate(
        ("customer", "loyalty", "guest_profile", "email_sha256", "phone_sha256", "social", "device", "booking_ref")
    )
}


def strength(identifier: Identifier) -> tuple[int, str]:
    """Sort key of identifiers, the strongest first."""
    return STRENGTH[identifier[0]], identifier[1]


@dataclass(slots=True, eq=False)
class Person:
    """One human being. Those who only look have a device and nothing else; they never book."""

    language: str
    locale: str
    country: str
    account: Identifier | None
    """The strongest name: customer, loyalty, or e-mail of those who book as guests; None: only looks."""
    loyalty: Identifier | None
    guest_profile: Identifier
    email: Identifier
    phone: Identifier
    social: Identifier
    device: Identifier
    shared: tuple[Identifier, ...] = ()
    """Kiosk, agency's mailbox, or e-mail address of a couple: carried beside the customer only."""
    parents: dict[Identifier, Identifier] = field(default_factory=dict)
    """Union-find over the identifiers used so far."""

    def connect(self, ids: Sequence[Identifier]) -> None:
        """Note that an event carried these identifiers of this person."""
        own = sorted((one for one in ids if one not in self.shared), key=strength)
        for one in own:
            self.parents.setdefault(one, one)
        for other in own[1:]:
            self.parents[self.find(other)] = self.find(own[0])

    def find(self, identifier: Identifier) -> Identifier:
        """The representative of all identifiers connected with this one."""
        while (parent := self.parents[identifier]) != identifier:
            identifier = parent
        return identifier

    def components(self) -> list[list[Identifier]]:
        """The connected identifiers, each list from the strongest on, the list with the strongest first."""
        groups: dict[Identifier, list[Identifier]] = {}
        for identifier in sorted(self.parents, key=strength):
            groups.setdefault(self.find(identifier), []).append(identifier)
        return list(groups.values())

    def ids(self, random: Random, medium: str) -> list[Identifier]:
        """The identifiers that an event of this medium typically carries."""
        if self.account is None:
            return [self.device]
        account, chance = self.account, random.random()
        match medium:
            case "web" | "app" | "chat":
                if chance < 0.15:
                    return [self.device]  # not logged in
                if chance < 0.35 and self.loyalty:
                    return [self.loyalty, self.device]
                return [account, self.device]
            case "call_centre" | "sms":
                return [self.phone] if chance < 0.4 else [account, self.phone]
            case "email":
                if self.email in self.shared:
                    return [account]
                return [self.email] if chance < 0.6 or account == self.email else [self.email, account]
            case "in_person":
                return [self.guest_profile] if chance < 0.6 else [self.guest_profile, account]
            case "kiosk":
                return [account, *(one for one in self.shared if one[0] == "device")]
            case "social":
                return [self.social] if chance < 0.7 else [self.social, account]
            case "partner":
                return [account, *(one for one in self.shared if one[0] == "email_sha256")]
            case _:
                return [account, self.loyalty] if chance < 0.3 and self.loyalty not in (None, account) else [account]


def hashed(text: str) -> str:
    """An e-mail address or telephone number as events carry it."""
    return sha256(text.encode()).hexdigest()


def make_person(random: Random, number: int, languages: Sequence[str], *, looks_only: bool = False) -> Person:
    """The person with this number, which is in all of their names."""
    language = random.choice(languages)
    locale, country, prefix = random.choice(HOMES[language])
    email = ("email_sha256", hashed(f"traveller{number}@example.com"))
    loyalty = ("loyalty", f"RL{number:08d}") if random.random() < 0.35 else None
    chance = random.random()
    account: Identifier | None = email
    if looks_only:
        account = None
    elif chance < 0.7:
        account = ("customer", f"C{number:07d}")
    elif loyalty:
        account = loyalty
    return Person(
        language=language,
        locale=locale,
        country=country,
        account=account,
        loyalty=loyalty if account else None,
        guest_profile=("guest_profile", f"G{random.getrandbits(40):010x}-{number}"),
        email=email,
        phone=("phone_sha256", hashed(f"{prefix}{random.randrange(10**8):08d}{number}")),
        social=("social", f"traveller-{number}"),
        device=("device", f"d{random.getrandbits(48):012x}-{number}"),
    )


def pairs_of_customers(random: Random, people: Sequence[Person], share: float) -> list[tuple[Person, Person]]:
    """Pairs of customers who share nothing; `share` of all customers are in a pair."""
    customers = [p for p in people if p.account and p.account[0] == "customer" and not p.shared]
    chosen = random.sample(customers, 2 * int(len(customers) * share / 2))
    return list(zip(chosen[::2], chosen[1::2], strict=True))


def share_things(random: Random, people: Sequence[Person], block: int) -> list[tuple[Identifier, list[Person]]]:
    """Give kiosks, agencies' mailboxes and couples' addresses to customers, each to two or more of them.

    Returns each shared identifier with its users. Every user must appear beside it in at least one event that carries
    their customer id, or it would not be shared.
    """
    customers = [person for person in people if person.account and person.account[0] == "customer"]
    random.shuffle(customers)
    shared: list[tuple[Identifier, list[Person]]] = []
    at = 0
    while at + 2 <= len(customers) * 0.3:
        number = len(shared)
        kind, most = random.choice((("kiosk", 40), ("mailbox", 12), ("couple", 2)))
        users = customers[at : at + random.randint(2, most)]
        at += len(users)
        if len(users) < 2:
            break
        thing = {
            "kiosk": ("device", f"kiosk-{block}-{number}"),
            "mailbox": ("email_sha256", hashed(f"desk{block}-{number}@agency.example")),
            "couple": ("email_sha256", hashed(f"family{block}-{number}@example.com")),
        }[kind]
        for user in users:
            user.shared = (thing,)
            if kind == "couple":
                user.email = thing
        shared.append((thing, users))
    return shared
