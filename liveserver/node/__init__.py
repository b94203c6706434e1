"""A node: the process with media, signalling, the guard and the HTTP ports, and what it is made of."""
