"""The page that shows a session as a conversation, a window of entries at a time."""
