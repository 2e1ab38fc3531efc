"""One module per operation of the command line, each thin: find the stack, ask, show."""
