variable "identity" {
  description = "The name of the identity, such as wise-sandbox."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", var.identity))
    error_message = "An identity's name is 1 to 64 letters, digits, dots, underscores or hyphens, starting with a letter or digit."
  }
}

variable "store" {
  description = "Where identities are kept: file:DIR or vault://MOUNT/PREFIX. By default CERTKIT_STORE, else the user's data directory. Vault's address and token come from the environment (VAULT_ADDR, VAULT_TOKEN, …), never from here."
  type        = string
  default     = null

  validation {
    condition     = var.store == null ? true : can(regex("^(file:|vault://).", var.store))
    error_message = "A store is file:DIR or vault://MOUNT/PREFIX."
  }
}

variable "policy" {
  description = "The partner's rules: a name of `certkit policy list`, or the path of a TOML file."
  type        = string
  default     = null
}

variable "subject" {
  description = "The subject of the request, like the options of `certkit identity enroll`. Without it, the identity must already exist."
  type = object({
    organization = optional(string)
    country      = optional(string)
    state        = optional(string)
    locality     = optional(string)
    common_name  = optional(string)
    email        = optional(string)
    units        = optional(list(string), [])
    # Instead of these: any attribute as NAME=VALUE, in this order.
    attributes         = optional(list(string), [])
    san                = optional(list(string), [])
    key_usage          = optional(list(string), [])
    extended_key_usage = optional(list(string), [])
    qc_type            = optional(list(string), [])
    psd2_role          = optional(list(string), [])
    psd2_authority     = optional(string)
    psd2_authority_id  = optional(string)
  })
  default  = {}
  nullable = false
}

variable "key_type" {
  description = "The type of the key, such as ec-p256. By default the policy's first."
  type        = string
  default     = null
}

variable "client_id" {
  description = "The common name that the partner's certificates have."
  type        = string
  default     = null
}

variable "group" {
  description = "The group that may read the keys of a file store."
  type        = string
  default     = null
}

variable "issuer" {
  description = "Who issues certificates automatically: vault-pki:MOUNT/ROLE or command:NAME, in a directory, also command:PROGRAM. By default a person fetches them."
  type        = string
  default     = null
}

variable "probe" {
  description = "Where to try a certificate before it is activated: a URL, `policy` for the policy's URL, or `none`."
  type        = string
  default     = null
}

variable "deploy_hook" {
  description = "What to run after each activation: a hook of the host configuration, in a directory also a program, or `none`."
  type        = string
  default     = null
}

variable "certificate" {
  description = "The path of the certificate that the partner issued, PEM, with or without the chain above it. Null until it exists."
  type        = string
  default     = null
}

variable "ca" {
  description = "The path of the CAs to trust, PEM. Needed before the first certificate, and with Vault from the beginning: the provisioner's token cannot change it later."
  type        = string
  default     = null
}

variable "passphrase_file" {
  description = "The path of the file with the passphrase that protects keys in a file store. Terraform does not read its content."
  type        = string
  default     = null
}

variable "early_renewal_hours" {
  description = "A new request is created when the certificate has fewer hours left than this (45 days), if the policy allows it."
  type        = number
  default     = 1080
  nullable    = false
}

variable "renewal_period" {
  description = "How often a due renewal is tried, as a format of formatdate. By default once a month; for certificates valid only for weeks, use YYYY-MM-DD."
  type        = string
  default     = "YYYY-MM"
  nullable    = false
}

variable "warn_hours" {
  description = "Every plan warns when the certificate has fewer hours left than this (28 days)."
  type        = number
  default     = 672
  nullable    = false
}

variable "require_valid" {
  description = "Fail, instead of warning, while there is no valid certificate: then nothing that uses the outputs is created or changed."
  type        = bool
  default     = false
  nullable    = false
}

variable "remove_on_destroy" {
  description = "Remove the identity with all its keys when the module is destroyed. Apply this before the destroy; false keeps the keys."
  type        = bool
  default     = false
  nullable    = false
}

variable "facts" {
  description = "The result of the data source `external`, if that provider is available: then renewals follow the current state of the store."
  type        = map(string)
  default     = null
}

variable "refresh" {
  description = "Any text; when it changes, the facts are read again, for example from a Vault store that others have changed."
  type        = string
  default     = null
}

variable "certkit" {
  description = "The certkit program."
  type        = string
  default     = "certkit"
  nullable    = false
}

variable "facts_directory" {
  description = "The directory through which facts pass from certkit to Terraform. It may be lost between runs."
  type        = string
  default     = ".terraform/certkit"
  nullable    = false
}
