"""The embedded servers: what `goodword up` starts so that nothing has to be installed."""
