// Tokens for clients that speak OAuth2 (Iceberg REST, /v1/oauth/tokens): a Millrace token is the client's secret and, once it
// was verified, the access token too. Nothing new is issued, so revoking the token ends all of it. Errors have OAuth's shape.
import type { Tokens } from '../../govern/token.ts'
import type { Reply } from './call.ts'

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** `form` are the fields of the body, `authorization` the header of the request. */
export async function tokenReply(verify: Tokens['verify'], form: URLSearchParams, authorization: string | undefined): Promise<Reply> {
  const kind = form.get('grant_type')
  if (kind !== 'client_credentials' && kind !== EXCHANGE)
    return refusal(400, 'unsupported_grant_type', `grant_type is client_credentials or ${EXCHANGE}`)
  const token = kind === EXCHANGE ? form.get('subject_token') : secretOf(form, authorization)
  if (!token) return refusal(400, 'invalid_request', kind === EXCHANGE ? 'subject_token is missing' : 'client_secret is missing')
  try {
    await verify(token)
  } catch {
    return refusal(401, 'invalid_client', 'the secret is not a valid Millrace token')
  }
  const body = { access_token: token, token_type: 'bearer', issued_token_type: ACCESS_TOKEN }
  return { status: 200, text: JSON.stringify(body), headers: { 'cache-control': 'no-store' } }
}

/** The whole token as the secret, or its two parts as id and secret; in the form or by basic authentication (RFC 6749, 2.3.1). */
function secretOf(form: URLSearchParams, authorization: string | undefined): string | null {
  const basic = /^Basic +(\S+)$/i.exec(authorization ?? '')
  const [id, secret] = basic ? pairOf(Buffer.from(basic[1]!, 'base64').toString()) : [form.get('client_id'), form.get('client_secret')]
  if (!secret) return null
  return secret.startsWith('mrt_') || !id ? secret : `mrt_${id}_${secret}`
}

function pairOf(text: string): [string, string] {
  const colon = text.indexOf(':')
  return colon < 0 ? ['', text] : [text.slice(0, colon), text.slice(colon + 1)]
}

const refusal = (status: number, error: string, description: string): Reply => ({
  status,
  text: JSON.stringify({ error, error_description: description }),
})
