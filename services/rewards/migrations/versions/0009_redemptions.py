"""Catalogues in versions, their stock and codes; redemptions; and in which tier each partner stands."""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CATALOGUE: Final = """
-- Every version that was ever published, as it was written.
CREATE TABLE rewards.catalogues (
    programme text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    digest text NOT NULL,
    source_text text NOT NULL,
    published_by text NOT NULL,
    published_at_ms bigint NOT NULL,
    PRIMARY KEY (programme, version)
);

-- What can be reserved now. Its row is locked by whoever takes of it or puts back, so it is never oversold.
CREATE TABLE rewards.catalogue_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    programme text NOT NULL,
    item text NOT NULL,
    version integer NOT NULL,
    offer jsonb NOT NULL,
    -- Whether the newest version still has it.
    is_offered boolean NOT NULL,
    -- In all, those taken among them; NULL without end. Of an item with codes, as many as were loaded.
    stock bigint,
    taken bigint NOT NULL DEFAULT 0 CHECK (taken >= 0),
    UNIQUE (programme, item),
    CONSTRAINT catalogue_items_not_oversold CHECK (taken <= stock)
) WITH (fillfactor = 50);
"""

REDEMPTIONS: Final = """
CREATE TABLE rewards.redemptions (
    id uuid PRIMARY KEY,
    programme text NOT NULL,
    -- Given by whoever asks: the same key is the same redemption.
    key text NOT NULL,
    beneficiary text NOT NULL,
    item_id bigint NOT NULL REFERENCES rewards.catalogue_items,
    item text NOT NULL,
    kind text NOT NULL,
    -- Of the catalogue, when it was reserved: what holds for it.
    version integer NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    price_minor bigint NOT NULL CHECK (price_minor > 0),
    unit text NOT NULL,
    decimals smallint,
    gives_minor bigint,
    gives_unit text,
    gives_decimals smallint,
    -- Whether it hands out codes that were loaded.
    has_codes boolean NOT NULL,
    -- What it took from which lots: [[decision, minor], …].
    parts jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('reserved', 'fulfilled', 'cancelled')),
    reserved_at_ms bigint NOT NULL,
    reserved_by text NOT NULL,
    -- When the clock cancels what is not fulfilled.
    until_ms bigint NOT NULL,
    closed_at_ms bigint,
    closed_by text,
    reason text,
    UNIQUE (programme, key),
    CONSTRAINT redemptions_closed_once CHECK ((state = 'reserved') = (closed_at_ms IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX redemptions_of_person ON rewards.redemptions (item_id, beneficiary);
CREATE INDEX redemptions_by_beneficiary ON rewards.redemptions (beneficiary, id);
CREATE INDEX redemptions_open ON rewards.redemptions (until_ms) WHERE state = 'reserved';

-- Codes of gift cards and discounts. Each is handed out once; what it says is read through `code_reveals` only.
CREATE TABLE rewards.redemption_codes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id bigint NOT NULL REFERENCES rewards.catalogue_items,
    code text NOT NULL,
    loaded_by text NOT NULL,
    loaded_at_ms bigint NOT NULL,
    redemption_id uuid REFERENCES rewards.redemptions,
    UNIQUE (item_id, code)
);
CREATE INDEX redemption_codes_free ON rewards.redemption_codes (item_id, id) WHERE redemption_id IS NULL;
CREATE INDEX redemption_codes_given ON rewards.redemption_codes (redemption_id) WHERE redemption_id IS NOT NULL;

-- Who was shown the codes of a redemption, and when.
CREATE TABLE rewards.code_reveals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    redemption_id uuid NOT NULL REFERENCES rewards.redemptions,
    revealed_by text NOT NULL,
    revealed_at_ms bigint NOT NULL
);
"""

STANDINGS: Final = """
-- The tier of each partner, as the newest decision that changed it says; none before the first change.
CREATE TABLE rewards.standings (
    programme text NOT NULL,
    partner text NOT NULL,
    tier text NOT NULL,
    decision_id uuid NOT NULL,
    -- Where the decision stands in the log: an older one, delivered again, changes nothing.
    log_partition integer NOT NULL,
    log_offset bigint NOT NULL,
    PRIMARY KEY (programme, partner)
) WITH (fillfactor = 80);
"""

ROLE: Final = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'goodword_rewards') THEN
        GRANT SELECT, INSERT ON rewards.catalogues, rewards.catalogue_items, rewards.redemptions,
            rewards.redemption_codes, rewards.code_reveals TO goodword_rewards;
        GRANT UPDATE (version, offer, is_offered, stock, taken) ON rewards.catalogue_items TO goodword_rewards;
        -- Not what was reserved, for whom, nor for how much: nobody changes that afterwards.
        GRANT UPDATE (state, closed_at_ms, closed_by, reason) ON rewards.redemptions TO goodword_rewards;
        GRANT UPDATE (redemption_id) ON rewards.redemption_codes TO goodword_rewards;
        GRANT SELECT, INSERT, UPDATE ON rewards.standings TO goodword_rewards;
    END IF;
END $$;
"""


def upgrade() -> None:
    for statements in (CATALOGUE, REDEMPTIONS, STANDINGS, ROLE):
        # As the driver takes it: SQLAlchemy would look for `:name` in it, and the driver looks for `%`.
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))


def downgrade() -> None:
    """A ledger is not dropped by a migration."""
    raise RuntimeError("the ledger cannot be migrated away; restore a backup instead")
