# An identity of certkit. certkit creates its private key, which stays in the store of identities; Terraform sees only facts.
#
# A step is a terraform_data whose provisioner runs certkit. It is replaced when, and only when, what it does has to be
# done again; replacing it removes nothing. The facts about an identity reach the state in two steps: `reading` writes them
# to a file, and `facts` reads the file after `reading` has run. From then on the state has the facts, so the file may be
# lost. Programs are run with a list of arguments, so that no shell ever interprets a value.

locals {
  store = concat(
    var.store == null ? [] : ["--store=${var.store}"],
    var.passphrase_file == null ? [] : ["--passphrase-file=${var.passphrase_file}"],
  )
  # The content of the request, which cannot change afterwards.
  request = concat(
    [for option, value in {
      organization      = var.subject.organization
      country           = var.subject.country
      state             = var.subject.state
      locality          = var.subject.locality
      common-name       = var.subject.common_name
      email             = var.subject.email
      psd2-authority    = var.subject.psd2_authority
      psd2-authority-id = var.subject.psd2_authority_id
      type              = var.key_type
    } : "--${option}=${value}" if value != null],
    [for value in var.subject.units : "--unit=${value}"],
    [for value in var.subject.attributes : "--subject=${value}"],
    [for value in var.subject.san : "--san=${value}"],
    [for value in var.subject.key_usage : "--key-usage=${value}"],
    [for value in var.subject.extended_key_usage : "--extended-key-usage=${value}"],
    [for value in var.subject.qc_type : "--qc-type=${value}"],
    [for value in var.subject.psd2_role : "--psd2-role=${value}"],
  )
  # What `certkit identity update` changes.
  settings = { for option, value in {
    client-id   = var.client_id
    group       = var.group
    issuer      = var.issuer
    probe       = var.probe
    deploy-hook = var.deploy_hook
    ca          = var.ca
  } : option => value if value != null }

  enroll = concat(
    [var.certkit, "identity", "enroll"],
    local.store,
    var.policy == null ? [] : ["--policy=${var.policy}"],
    local.request,
    [for option, value in local.settings : "--${option}=${value}" if value != "none"],
  )
  update = concat(
    [var.certkit, "identity", "update"],
    local.store,
    var.ca == null ? [] : ["--replace-ca"],
    [for option, value in local.settings : "--${option}=${value}"],
  )
  install = concat([var.certkit, "identity", "install"], local.store, [var.identity, "--"])
  # Exit 1 means that the request is pending and the certificate expires soon; the checks report that, too.
  renew = concat(["/bin/sh", "-c", local.renewal, "renew", var.certkit, "identity", "renew"], local.store)
  # Refuses hours that the policy does not allow, which would show up in every plan.
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
  # One file for each identity of each store, as a configuration may have several.
  file = "${var.facts_directory}/${var.identity}-${substr(sha256(local.query), 0, 8)}"

  # The directory of a file store; null otherwise, and then changes made elsewhere are not noticed.
  directory = try(regex("^file:([^?]+)", var.store)[0], null)

  # A checkout in another directory, or on another machine, changes nothing.
  root = "${abspath(path.root)}/"
}

# Creates the identity with its first request, once; adopts one that already exists.
resource "terraform_data" "identity" {
  triggers_replace = {
    name    = var.identity
    store   = var.store == null ? "" : replace(var.store, local.root, "")
    policy  = var.policy == null ? "" : try(filesha256(var.policy), var.policy)
    request = local.request
  }

  # So that the resource that may remove keys is destroyed last.
  depends_on = [terraform_data.removal]

  provisioner "local-exec" {
    interpreter = local.enroll
    command     = var.identity
  }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    command     = local.read
    environment = { CERTKIT = var.certkit, QUERY = local.query, FACTS = "${local.file}-enrolled.json" }
  }

  lifecycle {
    precondition {
      condition     = var.ca == null ? true : fileexists(var.ca)
      error_message = "The file ${coalesce(var.ca, "-")} (ca) does not exist. Save the partner's CA certificate there."
    }
    precondition {
      condition     = var.ca == null ? true : !try(strcontains(file(var.ca), "PRIVATE KEY"), false)
      error_message = "The file ${coalesce(var.ca, "-")} (ca) contains a private key. Save the CA's certificate alone there."
    }
  }
}

# Changes settings of the identity in place. Files are compared by content: another CA under the same name is a change.
resource "terraform_data" "settings" {
  triggers_replace = {
    identity = terraform_data.identity.id
    settings = { for option, value in local.settings : option => option == "ca" ? try(filesha256(value), "") : value }
  }

  provisioner "local-exec" {
    interpreter = length(local.settings) == 0 ? local.nothing : local.update
    command     = length(local.settings) == 0 ? ":" : var.identity
  }
}

# Installs the certificate.
resource "terraform_data" "certificate" {
  triggers_replace = {
    identity    = terraform_data.identity.id
    certificate = var.certificate == null ? "" : try(filesha256(var.certificate), "")
  }

  depends_on = [terraform_data.settings]

  provisioner "local-exec" {
    interpreter = var.certificate == null ? local.nothing : local.install
    command     = var.certificate == null ? ":" : var.certificate
  }

  lifecycle {
    precondition {
      condition     = var.certificate == null ? true : fileexists(var.certificate)
      error_message = "The file ${coalesce(var.certificate, "-")} (certificate) does not exist. Leave `certificate` out until the partner has issued it."
    }
    precondition {
      condition     = var.certificate == null ? true : !try(strcontains(file(var.certificate), "PRIVATE KEY"), false)
      error_message = "The file ${coalesce(var.certificate, "-")} contains a private key, which does not belong in a configuration: `certkit identity import` adopts one."
    }
    precondition {
      condition     = var.certificate == null ? true : try(filesha256(var.certificate) != local.empty, true)
      error_message = "The file ${coalesce(var.certificate, "-")} (certificate) is empty. Save the partner's certificate there."
    }
  }
}

# The end of the certificate that an automatic issuer returned for the first request.
resource "terraform_data" "enrolled" {
  input = try(jsondecode(file("${local.file}-enrolled.json${substr(terraform_data.identity.id, 0, 0)}")).validity_end_time, "")

  lifecycle {
    ignore_changes       = [input]
    replace_triggered_by = [terraform_data.identity]
  }
}

locals {
  empty = sha256("")

  # The end of the certificate in use is known to a plan from the file that is to be installed, else from the one in the
  # directory. Terraform cannot parse certificates, so this finds the two times of the validity in the DER.
  in_use = var.certificate != null ? var.certificate : try("${local.directory}/${var.identity}/active/certificate.pem${substr(terraform_data.identity.id, 0, 0)}", "")
  blocks = try(regexall("-----BEGIN CERTIFICATE-----([^-]+)-----END", file(local.in_use)), [])
  digits = [
    for block in local.blocks : try(regex(
      "[\u0017\u0018][\r\u000f][0-9]{12,14}Z[\u0017\u0018][\r\u000f]([0-9]{12,14})Z",
      textdecodebase64(replace(block[0], "/\\s/", ""), "ISO-8859-1"),
    )[0], "")
  ]
  read_ends = [for each in local.digits : replace(length(each) == 12 ? "20${each}" : each, "/^(....)(..)(..)(..)(..)(..)$/", "$1-$2-$${3}T$4:$5:$${6}Z") if each != ""]
  # Otherwise from the facts read last, and from `external`; each may be out of date. Times in this format sort as text.
  other_ends = [
    try(jsondecode(file("${local.file}.json")).validity_end_time, ""),
    try(terraform_data.enrolled.output, ""),
  ]
  end_of_file = try(sort(local.read_ends)[0], "")
  ends        = concat([try(var.facts.validity_end_time, "")], local.end_of_file == "" ? local.other_ends : [local.end_of_file])
  end_known   = try(reverse(sort(compact(local.ends)))[0], "")
  has_come    = try(timecmp(plantimestamp(), timeadd(local.end_known, "-${var.early_renewal_hours}h")) >= 0, false)
  is_reported = try(var.facts.ready_for_renewal == "true" && var.facts.validity_end_time == local.end_known, false)
  is_due      = local.has_come || local.is_reported
}

# Creates the next request when the certificate is about to expire: once, and again in each period in which it is still due.
resource "terraform_data" "renewal" {
  triggers_replace = local.is_due ? formatdate(var.renewal_period, plantimestamp()) : "not due"

  depends_on = [terraform_data.certificate]

  provisioner "local-exec" {
    interpreter = local.is_due ? local.renew : local.nothing
    command     = local.is_due ? var.identity : ":"
    environment = { CERTKIT = var.certkit, QUERY = local.query, END = local.end_known, HOURS = var.early_renewal_hours }
  }
}

# Reads the identity after all this, and whenever the certificate in use in a file store has changed.
resource "terraform_data" "reading" {
  triggers_replace = {
    certificate = terraform_data.certificate.id
    renewal     = terraform_data.renewal.id
    refresh     = var.refresh
    in_use      = try(filesha256("${local.directory}/${var.identity}/active/certificate.pem${substr(terraform_data.certificate.id, 0, 0)}${substr(terraform_data.renewal.id, 0, 0)}"), "")
  }

  provisioner "local-exec" {
    interpreter = ["/bin/sh", "-c"]
    command     = local.read
    environment = { CERTKIT = var.certkit, QUERY = local.query, FACTS = "${local.file}.json" }
  }
}

# The facts, without those that change every day.
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
      error_message = "Nothing is known of ${var.identity}, as after a run that was killed. Run terraform apply with -replace=ADDRESS.terraform_data.reading."
    }
    postcondition {
      condition     = try(self.output.state != "absent", true)
      error_message = "${var.identity} is gone from its store. To create it again, run terraform apply with -replace=ADDRESS.terraform_data.identity."
    }
  }
}

# Removes the identity, and only if `remove_on_destroy` says so. It is updated in place and never replaced, so nothing
# but a destroy ends it. The program is the `certkit` in the PATH, or the one named by the variable CERTKIT, and never one
# from the state, which others may write; values from the state are arguments.
resource "terraform_data" "removal" {
  input = {
    options = [for option in local.store : replace(option, local.root, "")]
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
