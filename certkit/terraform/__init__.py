"""What Terraform asks of certkit."""
