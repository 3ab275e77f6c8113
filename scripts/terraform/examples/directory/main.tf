# Identities in a directory of this host. Run terraform init and terraform apply, submit the output `csr`, and apply again
# with -var certificate=wise.pem -var ca=wise-ca.pem.

variable "certificate" {
  type    = string
  default = null
}

variable "ca" {
  type    = string
  default = null
}

module "wise" {
  source = "../.."

  identity    = "wise-sandbox"
  store       = "file:identities"
  policy      = "wise-sandbox"
  subject     = { organization = "Acme Ltd", country = "GB" }
  certificate = var.certificate
  ca          = var.ca
}

output "csr" {
  value = module.wise.csr
}

# Programs that use the certificate get paths, which stay the same after each renewal.
output "nginx" {
  value = <<-EOT
    proxy_ssl_certificate     ${module.wise.certificate_path};
    proxy_ssl_certificate_key ${module.wise.key_reference};
  EOT
}
