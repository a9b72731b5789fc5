"""From a due check to durable news."""
