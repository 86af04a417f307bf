"""The price list: a CSV file with the columns `article` and `price`."""

import csv
import io


def parse_price(text: str) -> int:
    """Reads a price such as `12.50` and gives cents."""
    return round(float(text.strip()) * 100)


def read_price_list(text: str) -> dict[str, int]:
    """Reads a price list and gives cents by article."""
    prices = {}
    for row in csv.DictReader(io.StringIO(text)):
        prices[row["article"].strip()] = parse_price(row["price"])
    return prices
