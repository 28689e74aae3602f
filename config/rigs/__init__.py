"""The rigs that come with the product."""
