"""How the rows of the present look in the API."""
