import unittest

from shop.cart import Cart


class CartTest(unittest.TestCase):
    def test_an_empty_cart_costs_nothing(self):
        self.assertEqual(Cart().total(), 0)

    def test_lines_are_added_up(self):
        cart = Cart()
        cart.add("mug", 1200, quantity=2)
        cart.add("pen", 250)
        self.assertEqual(cart.total(), 2650)

    def test_a_coupon_takes_its_percentage_off(self):
        cart = Cart()
        cart.add("mug", 1200)
        cart.apply_coupon(10)
        self.assertEqual(cart.total(), 1080)

    def test_a_coupon_beyond_100_percent_is_refused(self):
        with self.assertRaises(ValueError):
            Cart().apply_coupon(101)


if __name__ == "__main__":
    unittest.main()
