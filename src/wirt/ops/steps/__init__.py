"""What a guest is made of, as steps: each makes one thing, takes it away, and says how much of it is there."""
