// oauth4webapi, code with PKCE by a public client, then refresh and revocation: what it finds wrong it throws.
import { createInterface } from 'node:readline/promises'
import * as oauth from 'oauth4webapi'

const [issuer, clientId, redirectUri] = process.argv.slice(2)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const loose = { [oauth.allowInsecureRequests]: true }
const client = { client_id: clientId }
const none = oauth.None()

const discovered = await oauth.discoveryRequest(new URL(issuer), { ...loose, algorithm: 'oidc' })
const server = await oauth.processDiscoveryResponse(new URL(issuer), discovered)
const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const address = new URL(server.authorization_endpoint)
for (const [name, value] of Object.entries({
  client_id: clientId,
  redirect_uri: redirectUri,
  response_type: 'code',
  scope: 'openid offline_access',
  state,
  nonce,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})) address.searchParams.set(name, value)
console.log(String(address))
const back = new URL((await lines.next()).value)

const validated = oauth.validateAuthResponse(server, client, back, state)
const answered = await oauth.authorizationCodeGrantRequest(server, client, none, validated, redirectUri, verifier, loose)
const tokens = await oauth.processAuthorizationCodeResponse(server, client, answered, {
  expectedNonce: nonce,
  requireIdToken: true,
})
await oauth.validateApplicationLevelSignature(server, answered, loose)
const { sub } = oauth.getValidatedIdTokenClaims(tokens)
const told = await oauth.userInfoRequest(server, client, tokens.access_token, loose)
await oauth.processUserInfoResponse(server, client, sub, told)
const refreshed = await oauth.refreshTokenGrantRequest(server, client, none, tokens.refresh_token, loose)
const renewed = await oauth.processRefreshTokenResponse(server, client, refreshed)
const revoked = await oauth.revocationRequest(server, client, none, renewed.refresh_token, loose)
await oauth.processRevocationResponse(revoked)
const dead = await oauth.refreshTokenGrantRequest(server, client, none, renewed.refresh_token, loose)
try {
  await oauth.processRefreshTokenResponse(server, client, dead)
  throw new Error('a revoked refresh token was taken')
} catch (error) {
  if (error.error !== 'invalid_grant') throw error
}
console.log('done')
process.exit(0)
