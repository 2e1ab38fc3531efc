"""The one error of embedded servers: a server did not start or stop, with the reason and what to do."""

from __future__ import annotations

from contracts.errors import GoodwordError, Problem


class ServerFailed(GoodwordError):
    """An embedded server could not be started or stopped; `problem` says why and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
