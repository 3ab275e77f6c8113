"""A stand-in for Wise on this machine, to go through the whole migration without Wise.

It is a test double, and behaves as Wise documents. Every page, the name of its CA and the README of its directory say
that it is not Wise.

    state  authority            values: the history of the rehearsal; the CA and its certificates
    rehearsal                   the state while it runs, and its files on disk
    tokens  hub                 the rules of each part
    messages  pages             requests and responses as values; plain HTML
    web  api                    which URL leads to which rule; webhook subscriptions
    server  mutual_tls          the three listeners

Where Wise's documentation is silent, the rehearsal decides as follows, which means nothing for Wise:

- Tokens: a refresh keeps the refresh token, and revoking a refresh token leaves the access token valid. A wrong code
  or refresh token is 400 `invalid_grant`, a wrong registration code 401. No HTTP Basic is 401 `unauthorized`, a wrong
  secret or another client's id 401 `invalid_client`, a missing parameter 400 `invalid_request`, any other grant 400
  `unsupported_grant_type` (RFC 6749). A registration code may be used repeatedly.
- Certificates: of the CSR only C and O are kept; there is a clientAuth EKU and an AKI, and no SAN. The page gives the
  leaf only. A name has 1 to 64 characters. Expired and revoked certificates do not count towards the ten, but keep
  their names. A key may be reused.
- Once mTLS is enforced, every call to the plain API is 401 `unauthorized`. The token endpoint is on both hosts.
- The playground accepts any live access token, and is only on the mTLS host.
- A subscription is answered with 201, a test notification with 202. Notifications go to loopback addresses only, with
  a client certificate of the rehearsal's CA; the certificate of the receiving server is not verified.
"""
