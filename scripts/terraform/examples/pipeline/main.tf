# With the provider: `pipeline.sh` applies this on every run of the pipeline, and waits for the person at the portal.

terraform {
  required_providers {
    certkit = { source = "certkit.local/certkit/certkit" }
  }
}

provider "certkit" {
  store = "file:identities"
}

resource "certkit_identity" "wise" {
  name         = "wise-sandbox"
  policy       = "wise-sandbox"
  organization = "Acme Ltd"
  country      = "GB"
}

resource "certkit_certificate" "wise" {
  identity    = certkit_identity.wise.name
  certificate = fileexists("wise.pem") ? file("wise.pem") : null
  ca          = fileexists("wise-ca.pem") ? file("wise-ca.pem") : null
}

output "state" {
  value = coalesce(certkit_certificate.wise.state, "pending")
}

output "csr" {
  value = certkit_identity.wise.csr
}

output "next" {
  value = certkit_identity.wise.next
}
