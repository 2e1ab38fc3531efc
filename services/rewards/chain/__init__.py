"""The hash chain over blocks of transfers: how it is encoded (pure), signed, and verified."""
