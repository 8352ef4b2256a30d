"""What only this repository needs: its checks."""
