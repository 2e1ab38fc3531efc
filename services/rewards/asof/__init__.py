"""The ledger as it was at any instant, by the time that transfers count and by the time that they were booked."""
