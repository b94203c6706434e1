"""Clients that load and watch a server from outside; they know its wire contract and import nothing of it."""
