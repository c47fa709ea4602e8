"""Live tails: streams of a session's new records, and the one thread of a process that looks for them."""
