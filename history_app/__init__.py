"""The past: what was said, done, spent and measured inside a session, in order."""
