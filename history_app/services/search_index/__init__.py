"""The search index: which grams stand in which records, filled behind the recording."""
