# A stand-in for Wise; in its place comes Wise itself, with --environment sandbox instead of --policy.
certkit wise rehearse --dir rehearsal --port 0 --client-id acme --redirect-uri https://acme.example/wise \
    --ready-file ready.json &
trap 'kill $!' EXIT
until test -s ready.json; do kill -0 $!; sleep 0.1; done

# 1. Client id and secret, as the form of your Customer Success Manager gives them; then the address to grant access at.
certkit wise setup acme --policy rehearsal/wise-rehearsal.toml --client-id acme --redirect-uri https://acme.example/wise
url=$(certkit wise setup acme --json | sed -n 's/.*"url": "\(.*\)".*/\1/p')

# 2. Open it in a browser, pick an account, grant access, and copy the address that it leads to. As a script:
pasted=$(curl -sS -o /dev/null -w '%{redirect_url}' -d "${url#*\?}&profile=10000001&decision=grant" "${url%%\?*}")

# 3. Paste it: the code becomes a token. The organization makes a key and a CSR.
certkit wise setup acme --redirect-url "$pasted" --client-secret-file rehearsal/rehearsal-client-secret \
    --organization "Acme Ltd" --country GB

# 4. In Developer Hub: paste the CSR under a new name, copy the certificate, get the CA certificate. As a script:
hub=${url%%/oauth/*}/developer-hub
certkit identity show acme | sed -n '/BEGIN/,/END/p' >acme.csr
curl -sS -d name=acme-1 --data-urlencode csr@acme.csr "$hub" >certificate.html
curl -sS -o ca.pem "$hub/wise.ca-certificate.rehearsal.pem"

# 5. Install it and call Wise with it. From now on the same line tells whether all is well.
certkit wise setup acme --ca ca.pem --cert certificate.html
certkit wise setup acme
