"""What the API shows of history, and how OpenAPI describes what it takes."""
