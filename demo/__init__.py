"""The demonstration: plays marketplace, customers and adversary from outside the product."""
