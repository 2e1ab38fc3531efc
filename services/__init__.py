"""The four services. Each is a process of its own; they agree only through `contracts`."""
