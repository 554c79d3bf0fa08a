"""What a creator's fee or unlock price does."""
