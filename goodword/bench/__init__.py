"""Every figure comes from here: `goodword bench`, each row as a ratio to a raw path measured in the same run."""
