"""What is peculiar to one partner: the Wise Platform."""
