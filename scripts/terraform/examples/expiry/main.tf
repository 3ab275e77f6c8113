# With the provider: every plan warns while the certificate expires soon, and fails once its status is critical.

terraform {
  required_providers {
    certkit = { source = "certkit.local/certkit/certkit" }
  }
}

provider "certkit" {
  store = "file:identities"
}

data "certkit_expiry" "wise" {
  source = "identity:wise-sandbox"
  policy = "wise-sandbox"
}

check "expiry" {
  assert {
    condition     = data.certkit_expiry.wise.status != "warning"
    error_message = "The certificate of wise-sandbox expires in ${coalesce(data.certkit_expiry.wise.days_left, 0)} days."
  }
}

output "not_after" {
  value = data.certkit_expiry.wise.not_after

  # Unlike a check block, this fails the plan.
  precondition {
    condition     = data.certkit_expiry.wise.status != "critical"
    error_message = "The certificate of wise-sandbox has expired or is about to."
  }
}
