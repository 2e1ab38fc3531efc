"""The life of a revision, from draft to superseded: who may do what when, what the gate asks, and the audit log."""

from __future__ import annotations

from services.rules.lifecycle.backtests import Backtest, backtest_of, record_backtest

__all__ = ["Backtest", "backtest_of", "record_backtest"]
