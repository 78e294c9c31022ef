"""For the tests of those who use a registry: public, documented, and kept as the rest is."""
