"""What is asked before anything is changed: what the node can promise, and what it can hold a guest to."""
