"""The catalogue: what points and other units can be redeemed for, in versions that nobody changes."""
