"""Alipay: face-to-face barcode payment over the open gateway (form style, RSA2)."""
