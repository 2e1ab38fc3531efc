"""A mail sink: takes every mail over SMTP, sends none on, and shows them on a small page.

For the embedded stack, demos and tests. A mail is in the file before the sender hears "250", so restarting loses
none; the page runs no script and loads nothing from elsewhere, whatever a mail contains.
"""

from goodword.mailsink.server import run

__all__ = ["run"]
