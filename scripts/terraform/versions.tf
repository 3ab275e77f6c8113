# Nothing is downloaded: terraform_data is of Terraform itself.
terraform {
  required_version = ">= 1.5"
}
