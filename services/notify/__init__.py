"""Notify: partners are told by mail what happened to their referrals, once each."""
