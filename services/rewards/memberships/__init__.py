"""Memberships: a tier that is paid for, for a term at a time; told to the rules when it begins and when it ends."""
