"""The present: who works, with what settings and knowledge, and where the work stands now."""
