"""Budgets: accounts with a floor, claimed by decisions."""
