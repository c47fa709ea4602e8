"""Connectors: how sessions in other systems are deleted. RAGFlow is built in; others come by entry point."""
