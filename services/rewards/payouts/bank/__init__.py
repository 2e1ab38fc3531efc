"""What the bank says of payouts: statements and status reports read, and held against what was sent."""
