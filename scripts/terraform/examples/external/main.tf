# With the provider `external`, every plan reads the store, so renewals made elsewhere are seen at once.

terraform {
  required_providers {
    external = {
      source  = "hashicorp/external"
      version = ">= 2.3"
    }
  }
}

data "external" "wise" {
  program = ["certkit", "terraform", "query"]
  query   = { identity = "wise-sandbox", store = "file:identities" }
}

module "wise" {
  source = "../.."

  identity = "wise-sandbox"
  store    = "file:identities"
  policy   = "wise-sandbox"
  subject  = { organization = "Acme Ltd", country = "GB" }
  facts    = data.external.wise.result
}

check "wise" {
  assert {
    condition     = contains(["", "ok", "unknown"], data.external.wise.result.status)
    error_message = "The certificate of wise-sandbox has ${data.external.wise.result.days_left} days left."
  }
}
