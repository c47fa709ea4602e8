"""Draws a workflow's graph as a picture: pure code that knows no table, from nodes and edges in any form to SVG."""
