import unittest

from shop.prices import parse_price, read_price_list


class PricesTest(unittest.TestCase):
    def test_a_price_becomes_cents(self):
        self.assertEqual(parse_price("12.50"), 1250)

    def test_spaces_around_a_price_do_not_matter(self):
        self.assertEqual(parse_price(" 3 "), 300)

    def test_a_price_list_gives_cents_by_article(self):
        self.assertEqual(read_price_list("article,price\nmug,12.00\npen,2.50\n"), {"mug": 1200, "pen": 250})


if __name__ == "__main__":
    unittest.main()
