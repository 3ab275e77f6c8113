# Identities in HashiCorp Vault or OpenBao. VAULT_ADDR and VAULT_TOKEN come from the environment, so no state has them; the
# token needs only policies/vault/provisioner.hcl, which allows writing private keys but not reading them. Save the CA of the
# partner's client certificates as wise-ca.pem, run terraform init and terraform apply, submit the output `csr`, and apply
# again with -var certificate=wise.pem.

variable "store" {
  type    = string
  default = "vault://secret/certkit"
}

variable "certificate" {
  type    = string
  default = null
}

# Needed from the beginning: a provisioner can choose the CAs that an identity trusts only when it creates the identity.
variable "ca" {
  type    = string
  default = "wise-ca.pem"
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

# References for programs that may read the secrets: policies/vault/consumer.hcl.
output "references" {
  value = [module.wise.certificate_path, module.wise.key_reference]
}
