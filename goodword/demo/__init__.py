"""The demo: a made-up programme, made-up partners and their events, and what became of them."""
