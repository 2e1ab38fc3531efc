"""Metrics of the ledger."""

from __future__ import annotations

from typing import Final

from runtime.metrics.declared import Metric

STAGES: Final = (
    "granted",
    "claimed",
    "released",
    "voided",
    "clawed_back",
    "adjusted",
    "allotted",
    "written_off",
    "expired",
    "reserved",
    "redeemed",
    "credited",
    "cancelled",
    "payout_prepared",
    "payout_approved",
    "payout_sent",
    "paid",
    "payout_fee",
    "payout_returned",
    "payout_cancelled",
    "converted",
    "rounded",
    "fee_charged",
    "fee_refunded",
)
PAYOUT_STATES: Final = ("prepared", "approved", "sent")
"""Of those that are not finished."""
HOLD_AGES: Final = ("over-365-days", "under-365-days", "under-90-days", "under-30-days")
"""By the time of the event, the oldest first."""

REWARDS: Final = (
    Metric(
        "transfers_total",
        "counter",
        ("rewards",),
        "Transfers posted by this process, by stage: of decisions, by time, and over HTTP.",
        "None; what commands post is in the ledger and the facts only.",
        {"stage": STAGES},
    ),
    Metric(
        "postings_refused_total",
        "counter",
        ("rewards",),
        "Postings refused, by reason.",
        "`goodword ledger explain` shows why.",
        {"reason": ("conflict", "refused")},
    ),
    Metric("duplicates_total", "counter", ("rewards",), "Decisions delivered again and posted once.", "None."),
    Metric(
        "trial_balance_minor",
        "gauge",
        ("rewards",),
        "Sum of all balances by unit: must be 0.",
        "Not 0: stop the service and run `goodword ledger trial-balance`.",
        {"unit": ()},
        why_open="units are the rule sets'",
    ),
    Metric(
        "outbox_pending_batches",
        "gauge",
        ("rewards",),
        "Fact batches committed and not yet on the bus.",
        "Growing: look at the bus.",
    ),
    Metric(
        "chain_head_age_seconds",
        "gauge",
        ("rewards",),
        "How long ago the newest block was sealed: how long nothing was posted.",
        "Growing while decisions come: look at the consumer's lag.",
    ),
    Metric(
        "chain_unsigned_blocks",
        "gauge",
        ("rewards",),
        "Blocks after the newest signed head, up to 10,000; 0 where no head was ever signed.",
        "Growing: see `chain_unsigned_seconds`.",
    ),
    Metric(
        "chain_unsigned_seconds",
        "gauge",
        ("rewards",),
        "How long the oldest block after the newest signed head has been waiting to be signed.",
        "Minutes: the service's log says why (`the head is signed later`), or its key is gone.",
    ),
    Metric(
        "chain_checked_block",
        "gauge",
        ("rewards",),
        "The newest block that the invariant `chain-holds` has recomputed.",
        "Standing while transfers are posted: the service's log says what keeps the check from running.",
    ),
    Metric(
        "transfers_unpartitioned_count",
        "gauge",
        ("rewards",),
        "Transfers that lie in no month's partition, up to 100,000: of events before 1990 or far ahead.",
        "Growing: look at the times of the events that senders give; reading and posting work, but slower when many.",
    ),
    Metric(
        "holds_count",
        "gauge",
        ("rewards",),
        "Rewards on hold, by how long ago they were earned.",
        "None.",
        {"age": HOLD_AGES},
    ),
    Metric(
        "holds_overdue_seconds",
        "gauge",
        ("rewards",),
        "How long the oldest hold that is over has been waiting for its release.",
        "Growing: the rewards service's log says what keeps the clockwork from releasing.",
    ),
    Metric(
        "decisions_waiting",
        "gauge",
        ("rewards",),
        "Decisions that the ledger keeps until what they wait for is there.",
        "`goodword ledger waiting` shows each with its reason.",
    ),
    Metric(
        "redemptions_reserved",
        "gauge",
        ("rewards",),
        "Redemptions that wait to be fulfilled.",
        "Growing: nobody fulfils them; `goodword redemptions list --state reserved` shows each.",
    ),
    Metric(
        "payouts_count",
        "gauge",
        ("rewards",),
        "Payouts that are not finished, by state.",
        "None.",
        {"state": PAYOUT_STATES},
    ),
    Metric(
        "payouts_oldest_seconds",
        "gauge",
        ("rewards",),
        "How long the oldest payout in each state has been in it.",
        "Days: somebody has to approve or send it, or to ask the bank; `goodword payouts list --open`.",
        {"state": PAYOUT_STATES},
    ),
    Metric("memberships_active", "gauge", ("rewards",), "Paid memberships whose term runs.", "None."),
    Metric(
        "tiers_untold",
        "gauge",
        ("rewards",),
        "Tiers of memberships that the rules have not been told of yet.",
        "Growing: look at the bus; the rewards service's log says what is in the way.",
    ),
    Metric(
        "standings_behind_decisions",
        "gauge",
        ("rewards",),
        "Decisions that were posted and not yet read for the tiers of partners: once after an upgrade or a restore.",
        "Not falling: the service's log says what keeps `standings` from reading. Items for certain tiers wait for it.",
    ),
    Metric(
        "gifts_proposed",
        "gauge",
        ("rewards",),
        "Gifts that wait for somebody to approve or reject them.",
        "`goodword gifts list --state proposed` shows each.",
    ),
    Metric(
        "invariant_offenders",
        "gauge",
        ("rewards",),
        "Rows that break a promise about money, up to ten, by promise: must be 0.",
        "Not 0: the service's log names the rows; trust the transfers, which nobody can alter.",
        {
            "invariant": (
                "trial-balance",
                "balances-match-transfers",
                "chain-holds",
                "holds-match-pending",
                "budgets-match-accounts",
                "redemptions-match-reserved",
                "payouts-match-transfers",
                "papers-without-gaps",
                "snapshots-match-balances",
            )
        },
    ),
)
