"""The fee designer: the effect of a creator's fee or unlock price."""
