"""What goes on paper: statements, self-billing invoices and credit notes, as data that never changes and as PDF."""
