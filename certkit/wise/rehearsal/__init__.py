"""A stand-in for Wise on this machine, to go through the whole migration without Wise.

It is a test double: what Wise documents it does as documented. Every page, the name of its CA and the README of its
directory say that it is not Wise.

    state  authority                values: what has happened; the CA and what it signs
    tokens  consent  hub  webhooks  the rules of each part: state, request and clock in, new state and answer out
    messages  markup  pages         what is asked and answered; plain HTML
    web  api                        which address leads to which rule
    rehearsal  folder               the state while it runs, and where it lies on disk
    server  mutual_tls  notify      the three listeners, and calls to webhooks

What Wise leaves unsaid is decided here so, and means nothing for Wise:

- Tokens: a refresh keeps the refresh token, and a revoked refresh token leaves the access token its time. A wrong code
  or refresh token is 400 `invalid_grant`, a wrong registration code 401. No HTTP Basic is 401 `unauthorized`, a wrong
  secret or another client's id 401 `invalid_client`, a parameter that is missing 400 `invalid_request`, another grant
  400 `unsupported_grant_type` (RFC 6749). A registration code may be used again.
- Certificates: C and O of the CSR are kept, nothing else of it; there is a clientAuth EKU and an AKI, and no SAN. The
  page gives the leaf only. A name has 1 to 64 characters. Expired and revoked ones do not count towards the ten, but
  keep their names. A key may be used again.
- Once mTLS is enforced, every call to the plain API is 401 `unauthorized`. The token endpoint is on both addresses.
- The playground wants any access token that is live, and is only on the mTLS address.
- A subscription is answered 201, a test notification 202. Notifications go to loopback addresses only, with a client
  certificate of the rehearsal's CA; the certificate of the receiving server is not verified.
"""
