"""The shell round a back-test: where the events come from, processes over partitions, and checkpoints on the disk.

What is decided and added up is `services.rules.backtest`. `run` is the way in.
"""
