"""UnionPay: consumer-presented codes (62..., EMVCo) over the acquirer gateway."""
