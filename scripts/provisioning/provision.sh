#!/bin/sh
# Makes sure that an identity exists, and installs the partner's certificate once there is one. Safe to run repeatedly.
#
#   provision.sh NAME POLICY ORGANIZATION [ANSWER CA]
#
# Prints "changed" or "unchanged", and the CSR while one is pending. Exit codes are those of certkit.
set -eu
name=$1 policy=$2 organization=$3 answer=${4-} ca=${5-}

result=$(certkit identity enroll "$name" --policy "$policy" --organization "$organization" --json)
changed=$(printf '%s' "$result" | jq .changed)
if [ -n "$answer" ] && [ -e "$answer" ]; then
    result=$(certkit identity install "$name" "$answer" --ca "$ca" --json)
    [ "$(printf '%s' "$result" | jq .changed)" = false ] || changed=true
fi

if [ "$changed" = true ]; then echo changed; else echo unchanged; fi
printf '%s' "$result" | jq -r '.pending.csr // empty'
