output "identity" {
  description = "The name of the identity, once it is there."
  value       = var.identity
  depends_on  = [terraform_data.facts]
}

output "state" {
  description = "Of the generation in use, or of the one that waits: pending, issued, active, …"
  value       = local.facts.state
}

output "certificate_path" {
  description = "Where the certificate is: a path, which stays the same with every renewal, or a reference vault://… Empty until there is one."
  value       = local.facts.certificate_path

  precondition {
    condition     = !var.require_valid || local.is_valid
    error_message = "There is no valid certificate of ${var.identity}: it is ${local.facts.state}${local.end == "" ? "" : ", valid until ${local.end}"}."
  }
}

output "key_reference" {
  description = "Where the private key is: a path or a reference vault://…, and never the key."
  value       = local.facts.key_reference

  precondition {
    condition     = !var.require_valid || local.is_valid
    error_message = "There is no valid certificate of ${var.identity}."
  }
}

output "csr" {
  description = "The request that waits for its certificate, PEM; empty when none does."
  value       = local.facts.csr
}

output "validity_start_time" {
  description = "From when on the certificate is valid, RFC 3339."
  value       = local.facts.validity_start_time
}

output "validity_end_time" {
  description = "Until when the certificate is valid, RFC 3339."
  value       = local.end
}

output "ready_for_renewal" {
  description = "Whether the time for a new request has come."
  value       = local.is_near_renewal
}

output "fingerprint_sha256" {
  description = "The fingerprint of the certificate, lower-case hex."
  value       = local.facts.fingerprint_sha256
}

output "spki_sha256" {
  description = "The fingerprint of the public key, lower-case hex."
  value       = local.facts.spki_sha256
}

output "subject" {
  description = "The subject of the certificate, RFC 4514."
  value       = local.facts.subject
}

output "issuer" {
  description = "The issuer of the certificate, RFC 4514."
  value       = local.facts.issuer
}

output "serial" {
  description = "The serial number of the certificate, lower-case hex."
  value       = local.facts.serial
}
