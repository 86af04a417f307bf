"""What a customer is about to buy, and what it costs."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Line:
    """One article, and how many of it. `unit_price` is in cents."""

    article: str
    unit_price: int
    quantity: int = 1

    def total(self) -> int:
        return self.unit_price * self.quantity


@dataclass
class Cart:
    """The lines of one order."""

    lines: list[Line] = field(default_factory=list)
    coupon_percent: int = 0

    def add(self, article: str, unit_price: int, quantity: int = 1) -> None:
        if quantity < 1:
            raise ValueError(f"quantity must be at least 1, not {quantity}")
        self.lines.append(Line(article, unit_price, quantity))

    def apply_coupon(self, percent: int) -> None:
        if not 0 <= percent <= 100:
            raise ValueError(f"a coupon takes off 0 to 100 percent, not {percent}")
        self.coupon_percent = percent

    def discount(self) -> int:
        """What the coupon takes off, in cents, rounded down."""
        return sum(line.unit_price * self.coupon_percent // 100 for line in self.lines)

    def total(self) -> int:
        """What the customer pays, in cents."""
        return sum(line.total() for line in self.lines) - self.discount()
