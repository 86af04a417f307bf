"""What a customer gets on paper."""

from datetime import datetime, timezone, tzinfo

from shop.cart import Cart


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def receipt(cart: Cart, paid_at: datetime, zone: tzinfo = timezone.utc) -> str:
    """A receipt in plain text. `paid_at` knows its zone; the shop stands in `zone`."""
    lines = [f"Paid on {paid_at.strftime('%Y-%m-%d at %H:%M')}"]
    for line in cart.lines:
        lines.append(f"{line.quantity} x {line.article}: {money(line.total())}")
    if cart.coupon_percent:
        lines.append(f"Coupon {cart.coupon_percent} %: -{money(cart.discount())}")
    lines.append(f"Total: {money(cart.total())}")
    return "\n".join(lines)
