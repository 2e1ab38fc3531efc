"""`python -m goodword`: how the supervisor starts a service with the very interpreter and packages it runs on."""

from __future__ import annotations

from goodword.cli import main

if __name__ == "__main__":
    main()
