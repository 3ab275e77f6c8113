# An identity of certkit. Its private key is made by certkit and stays in the store of identities; Terraform sees facts.
#
# What certkit says of an identity comes into the state in two steps: a provisioner writes it to a file, and a
# terraform_data takes the file in when, and only when, that provisioner has run. From then on the state has it, so the
# file may be lost. Programs are run with a list of arguments, so that no value is ever read by a shell.

locals {
  store = concat(
    var.store == null ? [] : ["--store=${var.store}"],
    var.passphrase_file == null ? [] : ["--passphrase-file=${var.passphrase_file}"],
  )
  options = {
    policy       = var.policy
    organization = var.subject.organization
    country      = var.subject.country
    state        = var.subject.state
    locality     = var.subject.locality
    common-name  = var.subject.common_name
    email        = var.subject.email
    type         = var.key_type
    client-id    = var.client_id
    group        = var.group
    issuer       = var.issuer
    probe        = var.probe
    # Where a person brings the answer, it is judged by the CAs of that day.
    ca = var.issuer == null ? null : var.ca
  }
  enroll = concat(
    [var.certkit, "identity", "enroll"],
    local.store,
    [for option, value in local.options : "--${option}=${value}" if value != null],
    [for unit in var.subject.units : "--unit=${unit}"],
    [for name in var.subject.san : "--san=${name}"],
  )
  install = concat(
    [var.certkit, "identity", "install"],
    local.store,
    var.ca == null ? [] : ["--ca=${var.ca}"],
    [var.identity],
  )
  # Exit 1 says that the request waits while the certificate nears its end; the checks below say so too.
  renew = concat(["/bin/sh", "-c", local.renewal, "renew", var.certkit, "identity", "renew"], local.store)
  # Refuses hours that the policy does not know, which would come back with every plan.
  renewal = <<-EOT
    "$@" || [ $? -eq 1 ] || exit
    facts=$(printf '%s' "$QUERY" | "$CERTKIT" terraform query) || exit
    case "$facts" in *'"ready_for_renewal": "true"'*) exit 0 ;; esac
    case "$facts" in *"\"validity_end_time\": \"$END\""*) ;; *) exit 0 ;; esac
    echo "early_renewal_hours = $HOURS is earlier than the policy allows: no request is due before its renewal window opens. Use fewer hours." >&2
    exit 1
  EOT
  nothing = ["/bin/sh", "-c"]

  read  = <<-EOT
    set -eu
    mkdir -p -- "$(dirname -- "$FACTS")"
    printf '%s' "$QUERY" | "$CERTKIT" terraform query >"$FACTS.$$" || { code=$?; rm -f -- "$FACTS.$$"; exit $code; }
    mv -- "$FACTS.$$" "$FACTS"
  EOT
  query = jsonencode({ for key, value in { identity = var.identity, store = var.store } : key => value if value != null })
  # One file for each identity of each store, for a configuration may have several.
  file = "${var.facts_directory}/${var.identity}-${substr(sha256(local.query), 0, 8)}"

  # Of a file store; null otherwise, and then what others change there is not seen.
  directory = try(regex("^file:([^?]+)", var.store)[0], null)

  lost = "Nothing is known of ${var.identity}, as after a run that was killed."
}

# Makes the request, once, and takes in the answer to it.
resource "terraform_data" "identity" {
  triggers_replace = {
    # Files count by their content: a path that is another one elsewhere is no change, another CA under the same name is.
    enroll = [
      for option in slice(local.enroll, 1, length(local.enroll)) :
      try(fileexists(regex("^--(?:policy|ca)=(.*)$", option)[0]), false) ? "${regex("^--(?:policy|ca)=", option)}${filesha256(regex("^--(?:policy|ca)=(.*)$", option)[0])}" : option
    ]
    name   = var.identity
    answer = var.certificate == null ? "" : try(filesha256(var.certificate), "")
  }

  # So that, of all things here, what may remove keys is destroyed last.
  depends_on = [terraform_data.removal]

  provisioner "local-exec" {
    interpreter = local.enroll
    command     = var.identity
  }

  provisioner "local-exec" {
    interpreter = var.certificate == null ? local.nothing : local.install
    command     = var.certificate == null ? ":" : abspath(var.certificate)
  }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    command     = local.read
    environment = { CERTKIT = var.certkit, QUERY = local.query, FACTS = "${local.file}-installed.json" }
  }

  lifecycle {
    precondition {
      condition     = var.certificate == null ? true : fileexists(var.certificate)
      error_message = "The file ${coalesce(var.certificate, "-")} (certificate) does not exist. Leave `certificate` out until the partner has issued it."
    }
    precondition {
      condition     = var.ca == null ? true : fileexists(var.ca)
      error_message = "The file ${coalesce(var.ca, "-")} (ca) does not exist. Save the partner's CA certificate there."
    }
    precondition {
      condition     = var.certificate == null ? true : !try(strcontains(file(var.certificate), "PRIVATE KEY"), false)
      error_message = "The file ${coalesce(var.certificate, "-")} contains a private key, which does not belong in a configuration: `certkit identity import` adopts one."
    }
  }
}

# Until when the certificate is valid, as of the last answer.
resource "terraform_data" "installed" {
  input = try(jsondecode(file("${local.file}-installed.json${substr(terraform_data.identity.id, 0, 0)}")).validity_end_time, null)

  lifecycle {
    ignore_changes       = [input]
    replace_triggered_by = [terraform_data.identity]

    postcondition {
      condition     = self.output != null
      error_message = "${local.lost} Run terraform apply with -replace=ADDRESS.terraform_data.identity, which makes nothing anew that is there."
    }
  }
}

locals {
  # The later one of what was installed here and of what `external` has seen: each may be behind. Texts of this form are
  # in the order of their times.
  ends        = compact([terraform_data.installed.output, try(var.facts.validity_end_time, "")])
  end_known   = try(reverse(sort(local.ends))[0], "")
  has_come    = try(timecmp(plantimestamp(), timeadd(local.end_known, "-${var.early_renewal_hours}h")) >= 0, false)
  is_reported = try(var.facts.ready_for_renewal == "true" && var.facts.validity_end_time == local.end_known, false)
  is_due      = local.has_come || local.is_reported
}

# Makes the next request when the certificate nears its end: once, and again in each period in which it is still due.
resource "terraform_data" "renewal" {
  triggers_replace = local.is_due ? formatdate(var.renewal_period, plantimestamp()) : "not due"

  provisioner "local-exec" {
    interpreter = local.is_due ? local.renew : local.nothing
    command     = local.is_due ? var.identity : ":"
    environment = { CERTKIT = var.certkit, QUERY = local.query, END = local.end_known, HOURS = var.early_renewal_hours }
  }
}

# Looks at the identity after all this, and when the certificate in use of a file store is another one.
resource "terraform_data" "reading" {
  triggers_replace = {
    identity = terraform_data.identity.id
    renewal  = terraform_data.renewal.id
    refresh  = var.refresh
    in_use   = try(filesha256("${local.directory}/${var.identity}/active/certificate.pem${substr(terraform_data.renewal.id, 0, 0)}"), "")
  }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    command     = local.read
    environment = { CERTKIT = var.certkit, QUERY = local.query, FACTS = "${local.file}.json" }
  }
}

# Without what is another thing tomorrow.
resource "terraform_data" "facts" {
  input = try({
    for key, value in jsondecode(file("${local.file}.json${substr(terraform_data.reading.id, 0, 0)}")) : key => value
    if !contains(["status", "days_left", "ready_for_renewal"], key)
  }, null)

  lifecycle {
    ignore_changes       = [input]
    replace_triggered_by = [terraform_data.reading]

    postcondition {
      condition     = self.output != null
      error_message = "${local.lost} Run terraform apply with -replace=ADDRESS.terraform_data.reading."
    }
    postcondition {
      condition     = try(self.output.state != "absent", true)
      error_message = "${var.identity} is gone from its store. To make it anew, run terraform apply with -replace=ADDRESS.terraform_data.identity."
    }
  }
}

# Removes the identity, and only if `remove_on_destroy` says so. It is updated in place and never replaced, so nothing
# but a destroy ends it. The program is `certkit` of the PATH, or that of the variable CERTKIT, and never one from the
# state, which others may write; values from the state are arguments.
resource "terraform_data" "removal" {
  input = {
    options = local.store
    name    = var.remove_on_destroy ? var.identity : ":"
  }

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["/bin/sh", "-c"]
    command     = <<-EOT
      [ "$NAME" != : ] || exit 0
      set --
      while IFS= read -r option; do
        case $option in --store=*|--passphrase-file=*) set -- "$@" "$option" ;; esac
      done <<END
      $OPTIONS
      END
      exec "$${CERTKIT:-certkit}" identity remove --force "$@" -- "$NAME"
    EOT
    environment = {
      NAME    = self.input.name
      OPTIONS = join("\n", try(self.input.options, self.input.remove, []))
    }
  }
}
