"""How dates are written in the pages: the same in every language, so that they sort and compare by eye."""
