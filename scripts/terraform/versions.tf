# Nothing is downloaded: terraform_data is part of Terraform.
terraform {
  required_version = ">= 1.5"
}
