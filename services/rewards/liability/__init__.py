"""What is owed, and when it falls due: available, on hold by month, expiring by month with what experience expects."""
