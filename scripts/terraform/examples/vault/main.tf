# Identities in HashiCorp Vault or OpenBao. VAULT_ADDR and VAULT_TOKEN come from the environment, and so into no state;
# the token needs no more than policies/vault/provisioner.hcl, which writes private keys and reads none.

variable "store" {
  type    = string
  default = "vault://secret/certkit"
}

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
  store       = var.store
  policy      = "wise-sandbox"
  subject     = { organization = "Acme Ltd", country = "GB" }
  certificate = var.certificate
  ca          = var.ca
}

output "csr" {
  value = module.wise.csr
}

# References, for those who have the right to read what is there: policies/vault/consumer.hcl.
output "references" {
  value = [module.wise.certificate_path, module.wise.key_reference]
}
