"""The plans that come with the product."""
