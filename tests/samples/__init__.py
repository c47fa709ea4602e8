"""Small stores of old formats, written by the tests that read them."""
