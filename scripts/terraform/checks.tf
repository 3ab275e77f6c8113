locals {
  facts = terraform_data.facts.output
  end   = local.facts.validity_end_time
  day   = substr(local.end, 0, 10)

  is_valid        = try(timecmp(plantimestamp(), local.end) < 0, false)
  has_request     = local.facts.csr != ""
  is_near_renewal = try(timecmp(plantimestamp(), timeadd(local.end, "-${var.early_renewal_hours}h")) >= 0, false)
  is_near         = try(timecmp(plantimestamp(), timeadd(local.end, "-${var.warn_hours}h")) >= 0, false)
}

check "expiry" {
  assert {
    condition     = !local.is_near
    error_message = "The certificate of ${var.identity} ${local.is_valid ? "expires" : "has expired"} on ${local.day}."
  }
}

check "request" {
  assert {
    condition     = !local.has_request
    error_message = "A request of ${var.identity} waits for its certificate: submit the output `csr`, and set `certificate` to the file that the partner issues."
  }
}

check "deploy_hook" {
  assert {
    condition     = local.facts.deploy_hook != "failed"
    error_message = "A deploy hook of ${var.identity} failed and has not succeeded since. Fix it, and run: certkit identity activate ${var.identity}"
  }
}

check "ca" {
  assert {
    condition     = var.ca != null || !startswith(coalesce(var.store, "-"), "vault:")
    error_message = "No CA is given for ${var.identity}. Set `ca` before the first apply: in Vault the provisioner's token cannot change it later."
  }
}

check "certificate" {
  assert {
    condition     = local.facts.state == "active" || local.has_request
    error_message = "No certificate of ${var.identity} is in use, and no request waits: it is ${local.facts.state}."
  }
}
