# Identities in HashiCorp Vault or OpenBao. VAULT_ADDR and VAULT_TOKEN come from the environment, and so into no state;
# the token needs no more than policies/vault/provisioner.hcl, which writes private keys and reads none. Save the CA of the
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

# Needed from the beginning: a provisioner chooses whom an identity trusts when it creates it, and not later.
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

# References, for those who have the right to read what is there: policies/vault/consumer.hcl.
output "references" {
  value = [module.wise.certificate_path, module.wise.key_reference]
}
