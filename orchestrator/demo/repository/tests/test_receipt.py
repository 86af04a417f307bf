import unittest
from datetime import datetime, timezone

from shop.cart import Cart
from shop.receipt import receipt


class ReceiptTest(unittest.TestCase):
    def test_a_receipt_lists_what_was_bought(self):
        cart = Cart()
        cart.add("mug", 1200, quantity=2)
        text = receipt(cart, datetime(2026, 11, 2, 9, 30, tzinfo=timezone.utc))
        self.assertIn("Paid on 2026-11-02 at 09:30", text)
        self.assertIn("2 x mug: 24.00", text)
        self.assertIn("Total: 24.00", text)


if __name__ == "__main__":
    unittest.main()
