"""Which mails follow from what the ledger really posts: one for each thing that happens to a partner, none twice."""

from __future__ import annotations

from contracts.facts import TransferPosted
from contracts.money import Money
from runtime.database import Database
from services.notify.addresses import parse_mailbox
from services.notify.messages import Mail, mail_of_transfer
from services.notify.render import Content, Writer
from services.notify.texts import Texts
from services.rewards.budgets.claims import BudgetKey
from services.rewards.by_hand import Bookings
from services.rewards.gifts.desk import Gifts
from services.rewards.gifts.giving import Limits
from services.rewards.legs import ByHand
from services.rewards.memberships.selling import Memberships, Offer
from services.rewards.redemptions.redeeming import TOO_LATE
from services.rewards.store import Ledger
from tests.integration.rewards.test_holds import facts
from tests.support.catalogues import publish, redeeming
from tests.support.decisions import decided
from tests.support.ledger import SetClock, deliver
from tests.support.payouts import Office, payee

PROGRAMME = "crm-sales"
ANN = "partner:ann"
WRITER = Writer(parse_mailbox("goodword@example.org"))


def told(posted: list[TransferPosted]) -> list[Mail]:
    return [mail for mail in map(mail_of_transfer, posted) if mail is not None]


def shown(mails: list[Mail]) -> list[tuple[str, int | None, str | None]]:
    return [(mail.kind, mail.details.amount_minor, mail.details.unit) for mail in mails]


async def test_a_payout_is_told_when_it_is_sent_and_when_the_bank_answers(database: Database) -> None:
    office = Office(database)
    for partner in ("ann", "bob"):
        await office.earn(partner, 10_000, "USD")
    await office.rate("EUR/USD", "1.25")
    await office.know(payee("ann"), payee("bob", method="swift", bic="DEUTDEFF", currency="USD"))
    run = await office.preparer.prepare(office.asked("USD", fee_minor=150), who="ann")
    before = len(await facts(database))
    assert told((await facts(database))[2:]) == []
    await office.desk.approve(run.id, who="bob")
    await office.desk.send(run.id, who="bob")
    payouts: dict[str, str] = dict(await database.fetch_all("SELECT beneficiary, id::text FROM rewards.payouts"))
    await office.desk.settle(payouts[ANN], None, "statement 7", who="bank")
    await office.desk.return_(payouts["partner:bob"], None, "account closed", who="bank")
    # Banks do return what they have confirmed.
    await office.desk.return_(payouts[ANN], None, "recalled", who="bank")
    mails = told((await facts(database))[before:])
    assert sorted(shown(mails)) == [
        # In what it is on the balance again, and both had the same there.
        ("payout-returned", 9_850, "USD"),
        ("payout-returned", 9_850, "USD"),
        ("payout-sent", 7_880, "EUR"),
        ("payout-sent", 9_850, "USD"),
        ("payout-settled", 7_880, "EUR"),
    ]
    assert {mail.details.payout for mail in mails if mail.partner == "ann"} == {f"{run.reference}/partner/ann"}
    assert {mail.details.reason for mail in mails if mail.kind == "payout-returned"} == {"account closed", "recalled"}
    assert all(mail.time_ms == office.clock.at_ms for mail in mails)


async def test_redemptions_gifts_and_memberships_are_told(database: Database) -> None:
    await deliver(database, decided(1, amount_minor=100_000))
    await publish(database, mug={"text": "{en: A mug}"})
    redemptions = redeeming(database)
    first = await redemptions.reserve(PROGRAMME, "mug", ANN, quantity=2, key="k1", by="ann")
    await redemptions.fulfil(first.id, by="bob")
    second = await redemptions.reserve(PROGRAMME, "mug", ANN, quantity=1, key="k2", by="ann")
    await redemptions.cancel(second.id, reason="sold elsewhere", by="bob")
    await Bookings(database, clock=SetClock()).top_up(
        BudgetKey(PROGRAMME, "goodwill", "2026", "EUR"), 10_000, ByHand("for the year", "ann")
    )
    gifts = Gifts(database, Ledger(database), clock=SetClock(), limits=Limits({}, {}))
    gift = await gifts.propose(
        PROGRAMME, ANN, Money(5_000, "EUR"), key="g", budget="goodwill", period="2026", reason="thanks", by="ann"
    )
    await gifts.approve(gift.id, by="bob")
    memberships = Memberships(database, Ledger(database), clock=SetClock())
    bought = await memberships.buy(PROGRAMME, ANN, Offer("plus", "bronze", "month", 3_100, "USD"), key="m", by="bob")
    await memberships.cancel(bought.id, reason="moved away", by="bob")
    mails = told(await facts(database))
    assert shown(mails) == [
        ("reward-granted", 100_000, "USD"),
        ("redemption-reserved", 12_000, "USD"),
        ("redemption-fulfilled", 12_000, "USD"),
        ("redemption-reserved", 6_000, "USD"),
        ("redemption-cancelled", 6_000, "USD"),
        ("gift-granted", 5_000, "EUR"),
        ("membership-charged", 3_100, "USD"),
        ("membership-refunded", 3_000, "USD"),
    ]
    assert [(mail.details.item, mail.details.reason) for mail in mails[1:]] == [
        ("2 × mug", None),
        ("2 × mug", None),
        ("1 × mug", None),
        (None, "sold elsewhere"),
        (None, "thanks"),
        ("plus", None),
        (None, "moved away"),
    ]
    for mail in mails:
        content = Content(
            fact=mail.fact,
            kind=mail.kind,
            programme=mail.programme,
            address="ann@example.com",
            trace="",
            written_at_ms=mail.time_ms,
            details=mail.details,
            language="pl",
        )
        assert "uczestniczysz w programie" in str(WRITER.write(content).get_body(("plain",)).get_content())  # type: ignore[union-attr]  # a text part always


def test_what_the_ledger_itself_gives_as_a_reason_is_translated() -> None:
    for language in ("id", "pl", "pt-BR"):
        assert Texts().reason(language, TOO_LATE) != TOO_LATE
