"""The cart, the price list and the receipts of a small shop."""
