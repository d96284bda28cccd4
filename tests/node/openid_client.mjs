// openid-client, through each of its flows: what it finds wrong it throws. Addresses for the person go out by lines of
// standard output, the address that the person comes back with comes in by standard input.
import { createInterface } from 'node:readline/promises'
import * as oidc from 'openid-client'

const [issuer, clientId, clientSecret, redirectUri, afterLogout] = process.argv.slice(2)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const visited = async (address) => {
  console.log(String(address))
  return new URL((await lines.next()).value)
}
const check = (right, what) => {
  if (!right) throw new Error(what)
}

const config = await oidc.discovery(new URL(issuer), clientId, {}, oidc.ClientSecretBasic(clientSecret), {
  execute: [oidc.allowInsecureRequests],
})
const scope = 'openid profile email offline_access orders:read'

const pkceCodeVerifier = oidc.randomPKCECodeVerifier()
const expectedNonce = oidc.randomNonce()
const expectedState = oidc.randomState()
const back = await visited(
  oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    nonce: expectedNonce,
    state: expectedState,
    max_age: '3600',
    code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
  }),
)
const tokens = await oidc.authorizationCodeGrant(config, back, {
  pkceCodeVerifier,
  expectedNonce,
  expectedState,
  maxAge: 3600,
  idTokenExpected: true,
})
const { sub } = tokens.claims()
const told = await oidc.fetchUserInfo(config, tokens.access_token, sub)
check(told.preferred_username === 'ada', 'userinfo names the person')

const renewed = await oidc.refreshTokenGrant(config, tokens.refresh_token)
check(renewed.access_token !== tokens.access_token, 'a refresh gives another access token')
check((await oidc.tokenIntrospection(config, renewed.access_token)).active, 'the new access token is active')
await oidc.tokenRevocation(config, renewed.refresh_token)
check(!(await oidc.tokenIntrospection(config, renewed.access_token)).active, 'revoked with its refresh token')

const own = await oidc.clientCredentialsGrant(config, { scope: 'orders:read' })
check(own.refresh_token === undefined, 'no refresh token for a client itself')

const started = await oidc.initiateDeviceAuthorization(config, { scope: 'openid orders:read' })
const polling = oidc.pollDeviceAuthorizationGrant(config, started)
await visited(started.verification_uri_complete)
const onDevice = await polling
check(onDevice.claims().sub === sub, 'the device is the same person')

const out = await visited(
  oidc.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: afterLogout,
    state: 'bye',
  }),
)
check(out.searchParams.get('state') === 'bye', 'the state comes back after logout')
console.log('done')
process.exit(0)
