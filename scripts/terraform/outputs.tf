output "identity" {
  description = "The name of the identity, once it exists."
  value       = var.identity
  depends_on  = [terraform_data.facts]
}

output "state" {
  description = "The state of the generation in use or pending: pending, issued, active, …"
  value       = local.facts.state
}

output "certificate_path" {
  description = "Where the certificate is: a path, which renewals do not change, or a reference vault://… Empty until there is a certificate."
  value       = local.facts.certificate_path

  precondition {
    condition     = !var.require_valid || local.is_valid
    error_message = "There is no valid certificate of ${var.identity}: it is ${local.facts.state}${local.end == "" ? "" : ", valid until ${local.end}"}."
  }
}

output "key_reference" {
  description = "Where the private key is: a path or a reference vault://…, never the key."
  value       = local.facts.key_reference

  precondition {
    condition     = !var.require_valid || local.is_valid
    error_message = "There is no valid certificate of ${var.identity}."
  }
}

output "csr" {
  description = "The pending request as PEM; empty if there is none."
  value       = local.facts.csr
}

output "validity_start_time" {
  description = "The time from which the certificate is valid, RFC 3339."
  value       = local.facts.validity_start_time
}

output "validity_end_time" {
  description = "The time until which the certificate is valid, RFC 3339."
  value       = local.end
}

output "ready_for_renewal" {
  description = "Whether a new request is due."
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
